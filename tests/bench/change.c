/* Events of the SQL paths as changes. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/base/hash.h"
#include "tests/bench/change.h"
#include "tests/bench/pull.h"

#define GO_BATCH	500u
#define SLOTS	8192u	/* four times a batch */

const char *const change_columns[CHANGE_COLUMNS] = {
	"id", "b01", "b02", "b03", "b04", "d01", "d02", "d03", "i01", "i02", "i03", "i04", "i05", "i06", "j01", "j02", "j03",
	"t01", "t02", "t03", "t04", "t05", "t06", "t07", "t08", "t09", "z01", "z02", "z03", "z04",
};

char
change_kind(size_t column)
{
	return column == 0 ? 't' : change_columns[column][0];
}

struct images {
	struct json_val	 operation, before, after, diff;
};

static void
note(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct images	*im = arg;

	if (json_string_eq(key, "operation"))
		im->operation = *val;
	else if (json_string_eq(key, "before"))
		im->before = *val;
	else if (json_string_eq(key, "after"))
		im->after = *val;
	else if (json_string_eq(key, "diff"))
		im->diff = *val;
}

/* The rows have their columns in the table's order. */
static void
read_row(struct change *c, const struct json_val *row)
{
	struct json_iter it;
	struct json_val	 key;
	size_t		 n = 0;

	for (json_iter_init(&it, row); n < CHANGE_COLUMNS && json_object_next(&it, &key, &c->v[n]); n++)
		if (!json_string_eq(&key, change_columns[n]))
			break;
	if (n != CHANGE_COLUMNS)
		die("reading an event", "a row has other columns than the table");
}

void
change_read(struct change *c, natsMsg *msg)
{
	struct slice	text = { natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg) };
	struct images	im = { 0 };
	struct json_val	root;
	struct err	err = { 0 };

	if (json_scan_members(text, false, note, &im, &root, &err) != 0)
		die("reading an event", err.text);
	if (im.operation.raw.n < 2)
		die("reading an event", "it has no operation");
	c->msg = msg;
	c->op = im.operation.raw.p[1];
	c->diff = im.diff;
	if (c->op != 'D')
		read_row(c, &im.after);
	c->id = c->op == 'D' ? json_member(&im.before, "id") : c->v[0];
}

size_t
change_fold(struct change **v, size_t n)
{
	static struct change	*slots[SLOTS];
	size_t			 left = n, at;

	memset(slots, 0, sizeof(slots));
	for (size_t i = n; i-- > 0; ) {
		for (at = hash_xxh64(v[i]->id.raw) % SLOTS; slots[at] != NULL; at = (at + 1) % SLOTS)
			if (slice_eq(slots[at]->id.raw, v[i]->id.raw))
				break;
		if (slots[at] == NULL) {
			slots[at] = v[i];
			v[--left] = v[i];
		}
	}
	memmove(v, v + left, (n - left) * sizeof(*v));
	return n - left;
}

int
change_main(int argc, char **argv, const struct change_store *s)
{
	static struct change	 changes[CHANGE_BATCH];
	static natsMsg		*v[CHANGE_BATCH];
	struct queue		*q;
	struct puller		*p;
	uint64_t		 count;
	size_t			 n;
	bool			 set;

	if (argc != 7)
		die("usage", "PROGRAM URL CREDS CONSUMER COUNT DATABASE set|rows");
	set = strcmp(argv[6], "set") == 0;
	s->open(argv[5], set);
	count = strtoull(argv[4], NULL, 10);
	q = queue_new(count);
	p = pull_start(argv[1], argv[2], argv[3], count, queue_put, q);
	while ((n = queue_take(q, v, set ? CHANGE_BATCH : GO_BATCH)) > 0) {
		for (size_t i = 0; i < n; i++)
			change_read(&changes[i], v[i]);
		(set ? s->set : s->rows)(changes, n);
		for (size_t i = 0; i < n; i++) {
			pull_ack(p, v[i]);
			natsMsg_Destroy(v[i]);
		}
	}
	pull_end(&p);
	queue_free(&q);
	s->close();
	return 0;
}
