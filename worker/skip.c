/* Which events are part of a snapshot that was imported. */

#include <stdlib.h>

#include "worker/skip.h"

void
skip_free(struct skip *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].table);
	free(s->v);
	*s = (struct skip){ 0 };
}

int
skip_make(struct skip *s, struct ipc_strs pairs, struct err *err)
{
	*s = (struct skip){ 0 };
	if (pairs.n % 2 != 0)
		return err_set(err, ERR_INVALID, "CONFIGURE lists a table without the time of its import");
	if (pairs.n == 0)
		return 0;
	if ((s->v = calloc(pairs.n / 2, sizeof(*s->v))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the times of an import");
	for (size_t i = 0; i < pairs.n; i += 2) {
		struct skip_table *t = &s->v[s->n++];

		if ((t->table = slice_dup(pairs.v[i])) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for the times of an import");
		if (!slice_u64(pairs.v[i + 1], &t->ns))
			return err_set(err, ERR_INVALID, "CONFIGURE has a time of an import that is none");
	}
	return 0;
}

bool
skip_is_older(const struct skip *s, const struct event *ev)
{
	struct slice	 rest = ev->mvcc_timestamp, whole;
	uint64_t	 ns;

	for (size_t i = 0; i < s->n; i++) {
		if (!slice_is(ev->table, s->v[i].table))
			continue;
		if (slice_cut(&rest, '.', &whole) && slice_u64(whole, &ns))
			return ns < s->v[i].ns;
		return ev->timestamp_ms < (int64_t)(s->v[i].ns / 1000000);
	}
	return false;
}
