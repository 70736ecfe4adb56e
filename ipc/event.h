#ifndef EDS_EVENT_H
#define EDS_EVENT_H

#include "ipc/base/json_scan.h"

/*
 * The change event (contract/nats.md section 5).  Only workers parse it; the
 * supervisor moves the payload unread.  All slices point into the payload the
 * event was parsed from, or into its arena.
 */
enum event_op { EVENT_INSERT, EVENT_UPDATE, EVENT_DELETE };

/* A member of a row, as places behind the row's first byte. */
struct event_member {
	uint32_t	 key, key_n;
	uint32_t	 val, val_n;
	uint8_t		 type;			/* of the value: enum json_type */
	bool		 key_escaped, escaped;
};

struct event {
	enum event_op	 op;
	struct slice	 operation;		/* the text, as received                   */
	struct slice	 id;
	struct slice	 table;
	struct slice	 model_version;
	struct slice	 company_id;		/* p == NULL: absent or null               */
	struct slice	 location_id;
	struct slice	 user_id;
	struct slice	 mvcc_timestamp;
	int64_t		 timestamp_ms;
	struct json_val	 key;			/* array, or JV_ABSENT (missing or null) */
	struct json_val	 before;		/* JV_ABSENT when missing                */
	struct json_val	 after;
	struct json_val	 diff;			/* array, JV_ABSENT when missing or empty */
	bool		 imported;
	struct slice	 primary_key;		/* never empty after event_parse()         */
	struct buf	 arena;

	/* Those of `after`, when whoever made the event has kept them; the memory is used again like the arena. */
	struct {
		struct event_member	*v;
		size_t			 n, cap;
	} members;
};

/*
 * Takes a payload apart.  `*ev` must be zeroed before the first use; later uses reuse
 * its arena, and nobody else may write there.  Refused with ERR_INVALID: not JSON, invalid
 * UTF-8 (no database could hold it, and replacing it would lose what it was), not an object, a field of
 * the wrong type, an unknown operation, a missing table, `before`/`after` that is neither object
 * nor null, an empty primary key ("no primary key: `key` is empty and the row has no `id`").
 * The text names the field and, where the text is not JSON, the byte.  ERR_NOMEM is the only other code.
 * The primary key is looked at last: without one, the event is refused but all the rest is filled in.
 */
int	 event_parse(struct event *, struct slice payload, struct err *) MUST_CHECK;
void	 event_free(struct event *);

/* Notes a member of the row that begins at `row`; false: no memory.  The row is shorter than 4 GiB. */
bool	 event_member_add(struct event *, const char *row, const struct json_val *key, const struct json_val *val) MUST_CHECK;
void	 event_member_get(const struct event *, size_t i, struct json_val *key_r, struct json_val *val_r);

/* `after` when present, else `before`; an explicit null counts as present (then the type is JV_NULL). */
struct json_val event_object(const struct event *);

/* Appends the envelope as file, S3, Kafka and Event Hubs store it (contract/drivers.md section 1.3). */
void	 event_store_json(const struct event *, struct buf *);

/* Parts of `dbchange.<table>.<OPERATION>.<companyId>.<locationId>.PUBLIC.<id>`; false when it has another shape. */
struct event_subject {
	struct slice	 table, operation, company, location, id;
};
bool	 event_subject_parse(struct slice subject, struct event_subject *) MUST_CHECK;

#endif
