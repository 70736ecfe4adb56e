/*
 * The journal: sequence (8 bytes, big endian) -> checksum (8) subject length (4)
 * subject payload.  Appended with MDB_APPEND, so the pages fill up.
 */

#include <errno.h>
#include <stdlib.h>

#include "ipc/base/buf.h"
#include "ipc/base/hash.h"
#include "supervisor/store/journal.h"
#include "supervisor/store/pages.h"
#include "supervisor/store/store_private.h"

#define HEAD	12		/* checksum and subject length */
#define PAGE	4096u		/* of LMDB; a larger one only makes the costs an estimate */
#define ENTRY	32u		/* what LMDB adds to an entry, key included */

struct journal {
	struct store		*store;
	uint64_t		 limit;
	pthread_t		 thread;	/* that reads; appends and trims may come from another one */
	struct journal_stats	 stats;		/* as the reading thread knows them */
	struct journal_stats	 work;		/* as the writing one left them */
	bool			 unsure;	/* the last append failed, but may have reached the disk */
};

static void
put_u32(uint8_t *out, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Counts and range as the transaction sees them. */
static int
measure(struct journal *j, MDB_txn *txn)
{
	MDB_stat	 st;
	MDB_cursor	*cur;
	MDB_val		 k, v;
	int		 rc = mdb_stat(txn, j->store->db[STORE_JOURNAL], &st);

	if (rc != 0)
		return rc;
	j->work.events = st.ms_entries;
	j->work.bytes = (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) * st.ms_psize;
	j->work.first_seq = j->work.last_seq = 0;
	if (st.ms_entries == 0)
		return 0;
	if ((rc = mdb_cursor_open(txn, j->store->db[STORE_JOURNAL], &cur)) != 0)
		return rc;
	if ((rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST)) == 0 && k.mv_size == 8) {
		j->work.first_seq = store_get_u64(k.mv_data);
		if ((rc = mdb_cursor_get(cur, &k, &v, MDB_LAST)) == 0 && k.mv_size == 8)
			j->work.last_seq = store_get_u64(k.mv_data);
	}
	mdb_cursor_close(cur);
	return rc;
}

void
journal_publish(struct journal *j)
{
	uint64_t	 damaged = j->stats.damaged;

	j->stats = j->work;
	j->stats.damaged = damaged;	/* counted by the reader */
}

/* Who reads and writes in one thread need not publish. */
static void
publish_if_alone(struct journal *j)
{
	if (pthread_equal(j->thread, pthread_self()))
		journal_publish(j);
}

int
journal_open(struct journal **j_r, struct store *st, uint64_t limit, struct err *err)
{
	struct journal	*j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(err, ERR_NOMEM, "journal");
	j->store = st;
	j->limit = limit;
	j->thread = pthread_self();
	if (journal_reopened(j, err) == -1) {
		free(j);
		return -1;
	}
	*j_r = j;
	return 0;
}

int
journal_reopened(struct journal *j, struct err *err)
{
	MDB_txn	*txn;
	int	 rc;

	if ((rc = store_begin(j->store, MDB_RDONLY, &txn)) == 0) {
		rc = measure(j, txn);
		mdb_txn_abort(txn);
	}
	if (rc != 0)
		return store_error(j->store, rc, "opening the journal", err);
	journal_publish(j);
	return 0;
}

void
journal_close(struct journal **jp)
{
	free(*jp);
	*jp = NULL;
}

bool
journal_enabled(const struct journal *j)
{
	return j->limit > 0;
}

uint64_t
journal_room(const struct journal *j)
{
	return j->stats.bytes >= j->limit ? 0 : j->limit - j->stats.bytes;
}

/* Entries of more than half a page get pages of their own, the others share one. */
uint64_t
journal_cost(const struct journal_entry *e)
{
	uint64_t	 n = HEAD + e->subject.n + e->payload.n + ENTRY;

	return n > PAGE / 2 ? (n + PAGE - 1) / PAGE * PAGE + ENTRY : PAGE / ((PAGE - ENTRY) / n);
}

const struct journal_stats *
journal_stats(const struct journal *j)
{
	return &j->stats;
}

/* Room for the entry is reserved in the page and filled there: one copy. */
static int
append_one(struct journal *j, MDB_txn *txn, const struct journal_entry *e, bool behind)
{
	uint8_t	 key[8], *out;
	MDB_val	 k = { sizeof(key), key }, v = { HEAD + e->subject.n + e->payload.n, NULL };
	int	 rc;

	store_put_u64(key, e->seq);
	if ((rc = mdb_put(txn, j->store->db[STORE_JOURNAL], &k, &v, MDB_RESERVE | (behind ? MDB_APPEND : 0))) != 0)
		return rc;
	out = v.mv_data;
	put_u32(out + 8, (uint32_t)e->subject.n);
	if (e->subject.n > 0)
		(void)memcpy(out + HEAD, e->subject.p, e->subject.n);
	if (e->payload.n > 0)
		(void)memcpy(out + HEAD + e->subject.n, e->payload.p, e->payload.n);
	store_put_u64(out, hash_xxh64((struct slice){ (const char *)out + 8, v.mv_size - 8 }));
	return 0;
}

static int
full(const struct journal *j, struct err *err)
{
	return err_set(err, ERR_FULL, "the journal has reached its limit of %llu MiB", (unsigned long long)j->limit >> 20);
}

int
journal_append(struct journal *j, const struct journal_entry *v, size_t n, struct err *err)
{
	struct journal_stats	 was = j->work;
	MDB_txn		*txn;
	uint64_t	 last = was.last_seq;
	bool		 over;
	int		 rc = 0;

	if (n == 0)
		return 0;
	if (j->work.bytes >= j->limit)
		return full(j, err);
	if ((rc = store_begin(j->store, 0, &txn)) != 0)
		return store_error(j->store, rc, "writing the journal", err);
	if (j->unsure && (rc = measure(j, txn)) == 0)
		last = j->work.last_seq;
	for (size_t i = 0; i < n && rc == 0; i++) {
		/* Once more, or between others, when a spill had to be taken back. */
		rc = append_one(j, txn, &v[i], v[i].seq > last);
		if (v[i].seq > last)
			last = v[i].seq;
	}
	if (rc == 0)
		rc = measure(j, txn);
	over = rc == 0 && j->work.bytes > j->limit;
	if (rc == 0 && !over) {
		rc = mdb_txn_commit(txn);
		j->unsure = rc != 0;
		txn = NULL;
	}
	if (rc == 0 && !over) {
		publish_if_alone(j);
		return 0;
	}
	if (txn != NULL)
		mdb_txn_abort(txn);
	j->work = was;
	publish_if_alone(j);
	return over ? full(j, err) : store_error(j->store, rc, "writing the journal", err);
}

bool
journal_entry_of(struct slice key, struct slice value, struct journal_entry *e_r)
{
	const uint8_t	*p = (const uint8_t *)value.p;
	uint32_t	 subject;

	if (key.n != 8 || (*e_r = (struct journal_entry){ .seq = store_get_u64(key.p) }).seq == 0)
		return false;
	if (value.n < HEAD)
		return true;
	subject = get_u32(p + 8);
	if (subject > value.n - HEAD || hash_xxh64((struct slice){ value.p + 8, value.n - 8 }) != store_get_u64(p))
		return true;
	e_r->subject = (struct slice){ value.p + HEAD, subject };
	e_r->payload = (struct slice){ value.p + HEAD + subject, value.n - HEAD - subject };
	return true;
}

struct read {
	struct journal	*journal;
	journal_fn	 fn;
	void		*arg;
	bool		 stopped;	/* by fn */
	bool		 hole;		/* pages that cannot be read */
};

static int
read_one(void *arg, struct slice key, struct slice value)
{
	struct read		*r = arg;
	struct journal_entry	 e;

	if (r->hole)
		return 1;
	if (!journal_entry_of(key, value, &e)) {
		r->hole = true;
		return 1;
	}
	if (e.payload.p == NULL)
		r->journal->stats.damaged++;
	r->stopped = r->fn(r->arg, &e) != 0;
	return r->stopped;
}

static void
read_hole(void *arg, struct slice after, struct slice before)
{
	struct read	*r = arg;

	(void)after;
	(void)before;
	r->hole = true;
}

static int
read_pages(struct store *st, const uint8_t key[8], struct read *r, struct err *err)
{
	const struct pages_visitor	 v = { read_one, read_hole, r };
	struct buf			 path = { 0 };
	int				 rc = 0;

	if (st->pages == NULL) {
		buf_printf(&path, "%s/data.mdb", st->path);
		rc = path.oom ? err_set(err, ERR_NOMEM, "journal") : pages_open(&st->pages, buf_cstr(&path), err);
		buf_free(&path);
	}
	if (rc == 0)
		rc = pages_newest(st->pages, err);
	return rc == 0 ? pages_walk(st->pages, store_db_name(STORE_JOURNAL), (struct slice){ (const char *)key, 8 }, &v, err) : rc;
}

/* LMDB's transaction keeps the pages from being used again; the reading itself goes by pages that are checked. */
int
journal_read(struct journal *j, uint64_t after, journal_fn fn, void *arg, struct err *err)
{
	struct read	 r = { .journal = j, .fn = fn, .arg = arg };
	struct store	*st = j->store;
	MDB_txn		*txn;
	uint8_t		 key[8];
	int		 rc;

	if (after >= j->stats.last_seq)
		return 0;
	store_put_u64(key, after);
	if ((rc = store_begin(st, MDB_RDONLY, &txn)) != 0)
		return store_error(st, rc, "reading the journal", err);
	st->walks++;
	rc = read_pages(st, key, &r, err);
	mdb_txn_abort(txn);
	st->walks--;
	if (rc == -1 && err->code != ERR_INVALID)
		return err_prefix(err, "reading the journal");
	return rc == -1 || r.hole ? store_error(st, MDB_CORRUPTED, "reading the journal", err) : 0;
}

int
journal_trim(struct journal *j, uint64_t seq, size_t most, bool *more_r, struct err *err)
{
	struct journal_stats	 was = j->work;
	MDB_txn		*txn;
	MDB_cursor	*cur;
	MDB_val		 k, v;
	size_t		 n = 0;
	int		 rc;

	*more_r = false;
	if (j->work.events == 0 || j->work.first_seq > seq)
		return 0;
	if ((rc = store_begin(j->store, 0, &txn)) != 0)
		return store_error(j->store, rc, "trimming the journal", err);
	if ((rc = mdb_cursor_open(txn, j->store->db[STORE_JOURNAL], &cur)) == 0) {
		while ((rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST)) == 0 && k.mv_size == 8 && store_get_u64(k.mv_data) <= seq) {
			if (n++ == most) {
				*more_r = true;
				break;
			}
			if ((rc = mdb_cursor_del(cur, 0)) != 0)
				break;
		}
		mdb_cursor_close(cur);
	}
	if (rc == MDB_NOTFOUND)
		rc = 0;
	if (rc == 0)
		rc = measure(j, txn);
	if (rc != 0)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	if (rc != 0) {
		j->work = was;
		*more_r = false;
		return store_error(j->store, rc, "trimming the journal", err);
	}
	publish_if_alone(j);
	store_give_back_pages(j->store);
	return 0;
}
