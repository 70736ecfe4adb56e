#ifndef EDS_LOG_H
#define EDS_LOG_H

#include "ipc/base/buf.h"

/*
 * Log lines as contract/cli.md section 7.2 has them:
 *
 *	[INFO]  [server] server id: 6a0f {"key":"value"}
 *
 * A `struct log` carries the prefixes, so that no call repeats them.  Texts
 * and values never hold secrets or row data.
 */
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
	char	 prefix[96];		/* "[server] [postgres] ", ends with a blank, or empty */
};

/* One key of the metadata object; the array ends with { .key = NULL }. */
struct log_kv {
	const char	*key;
	enum { LOG_KV_STR, LOG_KV_U64, LOG_KV_I64 } type;
	const char	*str;
	uint64_t	 u64;
};
#define KV_STR(k, v)	{ .key = (k), .type = LOG_KV_STR, .str = (v) }
#define KV_U64(k, v)	{ .key = (k), .type = LOG_KV_U64, .u64 = (uint64_t)(v) }
#define KV_I64(k, v)	{ .key = (k), .type = LOG_KV_I64, .u64 = (uint64_t)(int64_t)(v) }
#define KVS(...)	((const struct log_kv[]){ __VA_ARGS__, { .key = NULL } })

/* Where lines go.  The default writes to stdout; a worker sends them to the supervisor. */
typedef void (*log_sink_fn)(void *arg, enum log_level, const char *prefix, const char *text, const char *json);

/* When stdout is systemd's journal, lines begin with their priority ("<4>") and timestamps are left to it. */
void	 log_init(enum log_level least, bool timestamps, const char *label);
void	 log_level_set(enum log_level least);
enum log_level log_level_get(void);
void	 log_sink_set(log_sink_fn, void *arg);
void	 log_sink_add(log_sink_fn, void *arg);	/* a second listener, gets every level */

/* "[a] [b] " from the names given, NULL ends them; a name already there is not repeated. */
void	 log_make(struct log *, const char *name, ...) __attribute__((sentinel));

void	 log_write(const struct log *, enum log_level, const struct log_kv *, const char *fmt, ...) PRINTF_LIKE(4, 5);
void	 log_text(enum log_level, const char *prefix, const char *text, const char *json);

#define log_trace(lg, ...)	log_write(lg, LOG_TRACE, NULL, __VA_ARGS__)
#define log_debug(lg, ...)	log_write(lg, LOG_DEBUG, NULL, __VA_ARGS__)
#define log_info(lg, ...)	log_write(lg, LOG_INFO, NULL, __VA_ARGS__)
#define log_warn(lg, ...)	log_write(lg, LOG_WARN, NULL, __VA_ARGS__)
#define log_error(lg, ...)	log_write(lg, LOG_ERROR, NULL, __VA_ARGS__)

const char *log_level_name(enum log_level);	/* "INFO" */
bool	 log_level_parse(struct slice, enum log_level *) MUST_CHECK;	/* "info", any case */

#endif
