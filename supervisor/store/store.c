/*
 * The durable state in one LMDB environment.  Keys are built so that an
 * ordered walk gives what belongs together:
 *
 *	meta		name                       -> value ("version" = 1, facts as "fact:<name>")
 *	cursors		destination                -> seq (8 bytes, big endian)
 *	tables		destination NUL table      -> model version
 *	schemas		table NUL version          -> JSON
 *	quarantine	destination NUL seq (8)    -> attempts (8) at_ms (8) lengths (2 x 4) subject reason payload
 */

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/buf.h"
#include "supervisor/store/store.h"
#include "supervisor/store/store_private.h"

void
store_put_u64(uint8_t *out, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

uint64_t
store_get_u64(const void *p)
{
	const uint8_t	*b = p;
	uint64_t	 v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

int
store_write_begin(struct store *st, MDB_txn **txn_r, struct err *err)
{
	int	 rc;

	if (pthread_equal(st->thread, pthread_self()) && st->batch != NULL) {
		*txn_r = st->batch;
		return 0;
	}
	if ((rc = store_begin(st, 0, txn_r)) != 0)
		return store_error(st, rc, "beginning a write", err);
	return 0;
}

int
store_write_end(struct store *st, MDB_txn *txn, int rc, const char *what, struct err *err)
{
	if (pthread_equal(st->thread, pthread_self()) && txn == st->batch) {
		if (rc != 0 && st->batch_rc == 0)
			st->batch_rc = rc;
		return rc == 0 ? 0 : store_error(st, rc, what, err);
	}
	if (rc != 0) {
		mdb_txn_abort(txn);
		return store_error(st, rc, what, err);
	}
	if ((rc = mdb_txn_commit(txn)) != 0)
		return store_error(st, rc, what, err);
	return 0;
}

int
store_put(struct store *st, enum store_db db, struct slice key, struct slice value, const char *what, struct err *err)
{
	MDB_txn	*txn;
	MDB_val	 k = { key.n, (void *)(uintptr_t)key.p };
	MDB_val	 v = { value.n, (void *)(uintptr_t)value.p };

	if (store_write_begin(st, &txn, err) == -1)
		return -1;
	return store_write_end(st, txn, mdb_put(txn, st->db[db], &k, &v, 0), what, err);
}

int
store_get(struct store *st, enum store_db db, struct slice key, struct buf *out, const char *what, struct err *err)
{
	MDB_txn	*txn;
	MDB_val	 k = { key.n, (void *)(uintptr_t)key.p }, v;
	int	 rc;

	if ((rc = store_begin(st, MDB_RDONLY, &txn)) != 0)
		return store_error(st, rc, what, err);
	if ((rc = mdb_get(txn, st->db[db], &k, &v)) == 0)
		buf_add(out, v.mv_data, v.mv_size);
	mdb_txn_abort(txn);
	if (rc != 0)
		return store_error(st, rc, what, err);
	return out->oom ? err_set(err, ERR_NOMEM, "%s", what) : 0;
}

/* Calls fn(key after the prefix, value) in key order; a non-zero answer ends the walk. */
static int
each(struct store *st, enum store_db db, struct slice prefix, store_pair_fn fn, void *arg, const char *what, struct err *err)
{
	MDB_txn		*txn;
	MDB_cursor	*cur = NULL;
	MDB_val		 k = { prefix.n, (void *)(uintptr_t)prefix.p }, v;
	int		 rc;

	if ((rc = store_begin(st, MDB_RDONLY, &txn)) != 0)
		return store_error(st, rc, what, err);
	st->walks++;
	if ((rc = mdb_cursor_open(txn, st->db[db], &cur)) != 0)
		goto out;
	for (rc = mdb_cursor_get(cur, &k, &v, prefix.n == 0 ? MDB_FIRST : MDB_SET_RANGE); rc == 0;
	    rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) {
		if (k.mv_size < prefix.n || (prefix.n > 0 && memcmp(k.mv_data, prefix.p, prefix.n) != 0))
			break;
		if (fn(arg, (struct slice){ (const char *)k.mv_data + prefix.n, k.mv_size - prefix.n },
		    (struct slice){ v.mv_data, v.mv_size }) != 0)
			break;
	}
	if (rc == MDB_NOTFOUND)
		rc = 0;
out:
	if (cur != NULL)
		mdb_cursor_close(cur);
	mdb_txn_abort(txn);
	st->walks--;
	return rc == 0 ? 0 : store_error(st, rc, what, err);
}

int
store_batch_begin(struct store *st, struct err *err)
{
	int	 rc;

	if (st->batch != NULL)
		bug("store_batch_begin() inside a batch");
	st->batch_rc = 0;
	if ((rc = store_begin(st, 0, &st->batch)) != 0) {
		st->batch = NULL;
		return store_error(st, rc, "beginning a batch", err);
	}
	return 0;
}

int
store_batch_commit(struct store *st, struct err *err)
{
	MDB_txn	*txn = st->batch;
	int	 rc = st->batch_rc;

	if (txn == NULL)
		bug("store_batch_commit() without a batch");
	st->batch = NULL;
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(st, rc, "committing a batch", err);
}

int
store_cursors_put(struct store *st, const struct store_cursor *v, size_t n, struct err *err)
{
	MDB_txn	*txn;
	int	 rc = 0;

	if (store_write_begin(st, &txn, err) == -1)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		uint8_t seq[8];
		MDB_val key = { strlen(v[i].destination), (void *)(uintptr_t)v[i].destination };
		MDB_val val = { sizeof(seq), seq };

		store_put_u64(seq, v[i].seq);
		rc = mdb_put(txn, st->db[STORE_CURSORS], &key, &val, 0);
	}
	return store_write_end(st, txn, rc, "cursors", err);
}

int
store_cursor_get(struct store *st, const char *destination, uint64_t *seq_r, struct err *err)
{
	struct buf	 b = { 0 };
	int		 rc;

	if ((rc = store_get(st, STORE_CURSORS, slice_of(destination), &b, "cursor", err)) == 0) {
		if (b.len == 8)
			*seq_r = store_get_u64(b.data);
		else
			rc = err_set(err, ERR_INVALID, "the cursor of %s in %s has %zu bytes instead of 8", destination, st->path, b.len);
	}
	buf_free(&b);
	return rc;
}

struct cursor_walk {
	store_cursor_fn	 fn;
	void		*arg;
};

static int
cursor_pair(void *arg, struct slice key, struct slice value)
{
	struct cursor_walk	*w = arg;

	return value.n == 8 ? w->fn(w->arg, key, store_get_u64(value.p)) : 0;
}

int
store_cursors_each(struct store *st, store_cursor_fn fn, void *arg, struct err *err)
{
	struct cursor_walk	 w = { fn, arg };

	return each(st, STORE_CURSORS, (struct slice){ "", 0 }, cursor_pair, &w, "cursors", err);
}

/* destination NUL rest */
static void
two_part_key(struct buf *b, struct slice first, struct slice second)
{
	buf_adds_slice(b, first);
	buf_addc(b, '\0');
	buf_adds_slice(b, second);
}

int
store_table_version_put(struct store *st, const char *destination, struct slice table, struct slice version, struct err *err)
{
	struct buf	 key = { 0 };
	int		 rc;

	two_part_key(&key, slice_of(destination), table);
	rc = key.oom ? err_set(err, ERR_NOMEM, "table version") :
	    store_put(st, STORE_TABLES, buf_slice(&key), version, "table version", err);
	buf_free(&key);
	return rc;
}

int
store_table_versions_each(struct store *st, const char *destination, store_pair_fn fn, void *arg, struct err *err)
{
	struct buf	 prefix = { 0 };
	int		 rc;

	two_part_key(&prefix, slice_of(destination), SLICE(""));
	rc = prefix.oom ? err_set(err, ERR_NOMEM, "table versions") :
	    each(st, STORE_TABLES, buf_slice(&prefix), fn, arg, "table versions", err);
	buf_free(&prefix);
	return rc;
}

int
store_schema_put(struct store *st, struct slice table, struct slice version, struct slice json, struct err *err)
{
	struct buf	 key = { 0 };
	int		 rc;

	two_part_key(&key, table, version);
	rc = key.oom ? err_set(err, ERR_NOMEM, "schema") : store_put(st, STORE_SCHEMAS, buf_slice(&key), json, "schema", err);
	buf_free(&key);
	return rc;
}

int
store_schema_get(struct store *st, struct slice table, struct slice version, struct buf *json, struct err *err)
{
	struct buf	 key = { 0 };
	int		 rc;

	two_part_key(&key, table, version);
	rc = key.oom ? err_set(err, ERR_NOMEM, "schema") : store_get(st, STORE_SCHEMAS, buf_slice(&key), json, "schema", err);
	buf_free(&key);
	return rc;
}

int
store_fact_put(struct store *st, const char *name, struct slice value, struct err *err)
{
	char	 key[100];

	(void)snprintf(key, sizeof(key), "fact:%s", name);
	return store_put(st, STORE_META, slice_of(key), value, name, err);
}

int
store_fact_get(struct store *st, const char *name, struct buf *value, struct err *err)
{
	char	 key[100];

	(void)snprintf(key, sizeof(key), "fact:%s", name);
	return store_get(st, STORE_META, slice_of(key), value, name, err);
}

static void
quarantine_key(struct buf *b, const char *destination, uint64_t seq)
{
	uint8_t	 be[8];

	store_put_u64(be, seq);
	two_part_key(b, slice_of(destination), (struct slice){ (const char *)be, sizeof(be) });
}

int
store_quarantine_put(struct store *st, const char *destination, const struct store_quarantined *q, struct err *err)
{
	struct buf	 key = { 0 }, val = { 0 };
	uint8_t		 head[32];
	int		 rc;

	quarantine_key(&key, destination, q->seq);
	store_put_u64(head, q->attempts);
	store_put_u64(head + 8, (uint64_t)q->at_ms);
	store_put_u64(head + 16, q->subject.n);
	store_put_u64(head + 24, q->reason.n);
	buf_add(&val, head, sizeof(head));
	buf_adds_slice(&val, q->subject);
	buf_adds_slice(&val, q->reason);
	buf_adds_slice(&val, q->payload);
	rc = key.oom || val.oom ? err_set(err, ERR_NOMEM, "quarantine") :
	    store_put(st, STORE_QUARANTINE, buf_slice(&key), buf_slice(&val), "quarantine", err);
	buf_free(&key);
	buf_free(&val);
	return rc;
}

bool
store_quarantine_has(struct store *st, const char *destination, uint64_t seq)
{
	struct buf	 key = { 0 }, val = { 0 };
	struct err	 err = { 0 };
	bool		 has;

	quarantine_key(&key, destination, seq);
	has = !key.oom && store_get(st, STORE_QUARANTINE, buf_slice(&key), &val, "quarantine", &err) == 0;
	buf_free(&key);
	buf_free(&val);
	return has;
}

struct quarantine_walk {
	store_quarantine_fn	 fn;
	void			*arg;
	uint64_t		 count;
};

static int
quarantine_pair(void *arg, struct slice key, struct slice value)
{
	struct quarantine_walk		*w = arg;
	struct store_quarantined	 q;

	if (key.n != 8 || value.n < 32)
		return 0;
	w->count++;
	if (w->fn == NULL)
		return 0;
	q.seq = store_get_u64(key.p);
	q.attempts = store_get_u64(value.p);
	q.at_ms = (int64_t)store_get_u64(value.p + 8);
	q.subject.n = store_get_u64(value.p + 16);
	q.reason.n = store_get_u64(value.p + 24);
	if (q.subject.n > value.n - 32 || q.reason.n > value.n - 32 - q.subject.n)
		return 0;
	q.subject.p = value.p + 32;
	q.reason.p = q.subject.p + q.subject.n;
	q.payload.p = q.reason.p + q.reason.n;
	q.payload.n = value.n - 32 - q.subject.n - q.reason.n;
	return w->fn(w->arg, &q);
}

static int
quarantine_walk(struct store *st, const char *destination, struct quarantine_walk *w, struct err *err)
{
	struct buf	 prefix = { 0 };
	int		 rc;

	two_part_key(&prefix, slice_of(destination), SLICE(""));
	rc = prefix.oom ? err_set(err, ERR_NOMEM, "quarantine") :
	    each(st, STORE_QUARANTINE, buf_slice(&prefix), quarantine_pair, w, "quarantine", err);
	buf_free(&prefix);
	return rc;
}

int
store_quarantine_each(struct store *st, const char *destination, store_quarantine_fn fn, void *arg, struct err *err)
{
	struct quarantine_walk	 w = { fn, arg, 0 };

	return quarantine_walk(st, destination, &w, err);
}

int
store_quarantine_count(struct store *st, const char *destination, uint64_t *n_r, struct err *err)
{
	struct quarantine_walk	 w = { NULL, NULL, 0 };

	if (quarantine_walk(st, destination, &w, err) == -1)
		return -1;
	*n_r = w.count;
	return 0;
}

int
store_quarantine_drop(struct store *st, const char *destination, uint64_t seq, struct err *err)
{
	struct buf	 key = { 0 };
	MDB_txn		*txn;
	int		 rc;

	quarantine_key(&key, destination, seq);
	if (key.oom)
		rc = err_set(err, ERR_NOMEM, "quarantine");
	else if ((rc = store_write_begin(st, &txn, err)) == 0) {
		MDB_val k = { key.len, key.data };

		rc = store_write_end(st, txn, mdb_del(txn, st->db[STORE_QUARANTINE], &k, NULL), "quarantine", err);
	}
	buf_free(&key);
	return rc;
}

struct lost_walk {
	store_lost_fn	 fn;
	void		*arg;
};

/* "from-to from-to ..." */
static int
tell_losses(struct slice text, const struct lost_walk *w)
{
	struct slice	 one, from;
	uint64_t	 a, b;

	while (slice_cut(&text, ' ', &one))
		if (slice_cut(&one, '-', &from) && slice_u64(from, &a) && slice_u64(one, &b) && w->fn(w->arg, a, b) != 0)
			return 1;
	return 0;
}

int
store_lost_each(struct store *st, store_lost_fn fn, void *arg, struct err *err)
{
	const struct lost_walk	 w = { fn, arg };
	struct buf		 text = { 0 };
	struct err		 none = { 0 };
	int			 rc;

	if (store_get(st, STORE_META, SLICE(STORE_LOST_FACT), &text, "lost events", &none) == -1) {
		if (none.code == ERR_NOTFOUND)
			return 0;
		*err = none;
		return -1;
	}
	rc = text.len == 0 || tell_losses(buf_slice(&text), &w) != 0 ? 0 :
	    store_put(st, STORE_META, SLICE(STORE_LOST_FACT), SLICE(""), "lost events", err);
	buf_free(&text);
	return rc;
}
