#ifndef EDS_SCHEMA_REGISTRY_H
#define EDS_SCHEMA_REGISTRY_H

#include "supervisor/hq/http.h"
#include "supervisor/store/store.h"

/*
 * Schemas of table versions: from memory, from the store, from HQ's API, in
 * this order.  Answers come through a callback, perhaps before the call returns.
 */
struct registry;

enum registry_result { REGISTRY_FOUND, REGISTRY_UNKNOWN, REGISTRY_UNAVAILABLE };

/* FOUND: the schema object's JSON.  Otherwise the reason, for people. */
typedef void (*registry_fn)(void *arg, enum registry_result, struct slice json_or_reason);

int	 registry_new(struct registry **, struct ev_loop *, struct http *, struct store *, const char *api_url, struct err *) MUST_CHECK;
void	 registry_free(struct registry **);

/* Fetches the latest schemas (GET /v3/schema) in the background, keeps trying, stores them. */
void	 registry_refresh(struct registry *);

/* `owner` groups requests, so that those of a dead worker can be forgotten. */
void	 registry_get(struct registry *, const void *owner, struct slice table, struct slice version, registry_fn, void *arg);
void	 registry_forget(struct registry *, const void *owner);

/* For the status: when the latest schemas were fetched (epoch ms, 0 never), and the last trouble ("" none). */
int64_t	 registry_fetched_at(const struct registry *);
const char *registry_trouble(const struct registry *);

#endif
