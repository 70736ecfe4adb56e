#ifndef EDS_JSON_SCAN_H
#define EDS_JSON_SCAN_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * A strict, validating scanner (RFC 8259) that copies nothing: values are
 * slices of the text.  json_scan() looks at every byte of the document once;
 * after that the iterators walk it without checking again, so they must only
 * be given values that came out of json_scan().  (JV_ and json_text because
 * jansson owns JSON_STRING, json_string() and the like, and both get linked together.)
 */
enum json_type { JV_ABSENT, JV_NULL, JV_FALSE, JV_TRUE, JV_NUMBER, JV_STRING, JV_OBJECT, JV_ARRAY };

struct json_val {
	enum json_type	 type;
	bool		 escaped;	/* a string that holds at least one backslash */
	struct slice	 raw;		/* the value's text, strings with their quotes */
};

struct json_iter {
	const char	*at;
	const char	*end;
};

#define JSON_MAX_DEPTH	512

/*
 * The whole text is one value, white space around it allowed.  Refused, with
 * ERR_INVALID and "<what> at byte <n>", counted from 0, followed by " in <key>.<key>"
 * when it is inside an object: anything RFC 8259 refuses, deeper
 * nesting than JSON_MAX_DEPTH, invalid UTF-8 unless `lenient_utf8`, lone surrogate
 * escapes never (they are legal JSON; json_unescape turns them into U+FFFD).
 */
int	 json_scan(struct slice text, bool lenient_utf8, struct json_val *root_r, struct err *) MUST_CHECK;

/*
 * json_scan(), and while it is at it every member of the outermost object, in
 * order, goes to `fn`: for callers who would only walk over the text again.
 * Members come before the rest is known to be good, so `fn` takes notes, no more.
 */
typedef void (*json_member_fn)(void *arg, const struct json_val *key, const struct json_val *val);
int	 json_scan_members(struct slice text, bool lenient_utf8, json_member_fn, void *arg, struct json_val *root_r,
    struct err *) MUST_CHECK;

void	 json_iter_init(struct json_iter *, const struct json_val *object_or_array);
bool	 json_object_next(struct json_iter *, struct json_val *key_r, struct json_val *val_r);
bool	 json_array_next(struct json_iter *, struct json_val *val_r);

/*
 * A string's text without quotes.  Strings without escapes come back as a view (of a text scanned
 * leniently: with its invalid bytes), others are written to `arena`, where they
 * stay put only as long as the arena need not grow: buf_reserve() it first (decoded
 * text is never longer than its source).  p == NULL when memory is short.
 */
struct slice json_text(const struct json_val *, struct buf *arena);
void	 json_unescape(struct buf *, const struct json_val *);		/* appends the decoded text, U+FFFD per bad byte */
bool	 json_string_eq(const struct json_val *, const char *);		/* decoded text equals       */

/* The last member of that exact name; type JV_ABSENT when there is none. */
struct json_val json_member(const struct json_val *object, const char *name);

#endif
