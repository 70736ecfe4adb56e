/*
 * A store with damaged pages is copied, entry by entry, into a new one.  Order of the last steps, each
 * durable before the next: the new store is complete as <store>.new; the old one becomes
 * <store>.damaged-<time>; the new one takes its place.  So <store>.new counts only while there is no <store>.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/store/pages.h"
#include "supervisor/store/rebuild.h"
#include "supervisor/store/store_private.h"

#define PART_BYTES	(64u << 20)	/* of one transaction */
#define LOST_MOST	500		/* ranges that are told one by one; what is behind them becomes one */

struct range {
	uint64_t	 from, to;	/* 0: not known */
};

struct rebuild {
	struct pages		*pages;
	MDB_env			*env;
	MDB_txn			*txn;
	MDB_dbi			 dbi;
	size_t			 part;		/* bytes in the transaction */
	struct rebuild_tick	 tick;
	int			 rc;		/* of LMDB */
	uint64_t		 good;		/* entries of this database */
	bool			 hole;		/* and something that could not be read */
	uint64_t		 first, last;	/* sequences of the journal's good entries */
	bool			 bad_entry;	/* since the last good one */
	struct range		 lost[LOST_MOST];
	size_t			 n_lost;
};

static int
count_entry(void *arg, struct slice key, struct slice value)
{
	struct rebuild	*r = arg;

	(void)key;
	(void)value;
	r->good++;
	return 0;
}

static void
note_hole(void *arg, struct slice after, struct slice before)
{
	struct rebuild	*r = arg;

	(void)after;
	(void)before;
	r->hole = true;
}

static bool
whole_in_this_state(struct rebuild *r, const char *name, struct err *err)
{
	const struct pages_visitor	 v = { count_entry, note_hole, r };

	r->hole = false;
	return pages_walk(r->pages, name, (struct slice){ 0 }, &v, err) == 0 && !r->hole;
}

/*
 * The newest of the two states of the file in which the database is whole.  A cursor that is one step behind brings events once
 * more, which does no harm.  When it is whole in neither: the newest one that has it at all.
 */
static int
choose_state(struct rebuild *r, const char *name, bool *whole_r, struct err *err)
{
	struct err	 newest = { 0 }, before = { 0 };

	if (pages_newest(r->pages, err) == -1)
		return -1;
	*whole_r = whole_in_this_state(r, name, &newest) || (pages_before(r->pages, &before) == 0 && whole_in_this_state(r, name, &before));
	if (*whole_r || (newest.code != ERR_NONE && before.code == ERR_NONE))
		return 0;
	if (newest.code != ERR_NONE) {
		*err = newest;
		return -1;
	}
	return pages_newest(r->pages, err);
}

static void
lose(struct rebuild *r, uint64_t from, uint64_t to)
{
	struct range	*end = r->n_lost == 0 ? NULL : &r->lost[r->n_lost - 1];

	if (end != NULL && (from <= end->to + 1 || r->n_lost == LOST_MOST))
		end->to = to;
	else
		r->lost[r->n_lost++] = (struct range){ from, to };
}

/* Transactions of a bounded size, so that memory is bounded. */
static int
next_part(struct rebuild *r)
{
	int	 rc = mdb_txn_commit(r->txn);

	r->txn = NULL;
	r->part = 0;
	if (r->tick.fn != NULL)
		r->tick.fn(r->tick.arg);
	return rc != 0 ? rc : mdb_txn_begin(r->env, NULL, 0, &r->txn);
}

static int
copy_entry(void *arg, struct slice key, struct slice value)
{
	struct rebuild	*r = arg;
	MDB_val		 k = { key.n, (void *)(uintptr_t)key.p }, v = { value.n, (void *)(uintptr_t)value.p };

	if ((r->rc = mdb_put(r->txn, r->dbi, &k, &v, MDB_APPEND)) == 0 && (r->part += key.n + value.n) >= PART_BYTES)
		r->rc = next_part(r);
	r->good++;
	return r->rc != 0;
}

static int
copy_event(void *arg, struct slice key, struct slice value)
{
	struct rebuild		*r = arg;
	struct journal_entry	 e;

	if (!journal_entry_of(key, value, &e) || e.payload.p == NULL) {
		r->bad_entry = true;
		return 0;
	}
	if (r->bad_entry)
		lose(r, r->last == 0 ? 0 : r->last + 1, e.seq - 1);
	r->bad_entry = false;
	if (r->first == 0)
		r->first = e.seq;
	r->last = e.seq;
	return copy_entry(r, key, value);
}

static void
note_lost_events(void *arg, struct slice after, struct slice before)
{
	struct rebuild	*r = arg;

	(void)after;
	(void)before;
	r->bad_entry = true;
}

/*
 * Where nothing good is before the loss, the count of entries says how far it reaches at least.  What is lost at the end is
 * the reader's to tell: at a start it comes once more from the stream.
 */
static void
bound_losses(struct rebuild *r, uint64_t entries)
{
	uint64_t	 missing = entries > r->good ? entries - r->good : 1;

	for (size_t i = 0; i < r->n_lost; i++)
		if (r->lost[i].from != 0 && missing > r->lost[i].to - r->lost[i].from + 1)
			missing -= r->lost[i].to - r->lost[i].from + 1;
	if (r->n_lost > 0 && r->lost[0].from == 0)
		r->lost[0].from = r->lost[0].to >= missing ? r->lost[0].to - missing + 1 : 1;
}

/* The newest state in which the journal is listed. */
static int
choose_journal(struct pages *p, uint64_t *entries_r, struct err *err)
{
	const char	*name = store_db_name(STORE_JOURNAL);
	struct err	 none = { 0 };

	if (pages_newest(p, err) == -1)
		return -1;
	if (pages_entries(p, name, entries_r, err) == 0)
		return 0;
	if (pages_before(p, &none) == -1 || pages_entries(p, name, entries_r, &none) == -1)
		return -1;	/* with what the newest one says */
	return 0;
}

static int
copy_db(struct rebuild *r, enum store_db db, struct err *err)
{
	const char		*name = store_db_name(db);
	struct pages_visitor	 v = { copy_entry, note_hole, r };
	uint64_t		 entries = 0;
	bool			 whole = true;

	if (db == STORE_JOURNAL) {
		v = (struct pages_visitor){ copy_event, note_lost_events, r };
		if (choose_journal(r->pages, &entries, err) == -1)
			return -1;
	} else if (choose_state(r, name, &whole, err) == -1)
		return -1;
	if (!whole && (db == STORE_META || db == STORE_CURSORS))
		return err_set(err, ERR_INVALID, "its %s cannot be read", db == STORE_META ? "facts" : "cursors");
	r->good = 0;
	if ((r->rc = mdb_dbi_open(r->txn, name, MDB_CREATE, &r->dbi)) == 0 &&
	    pages_walk(r->pages, name, (struct slice){ 0 }, &v, err) == -1)
		return -1;
	if (r->rc != 0)
		return err_set(err, r->rc == ENOSPC || r->rc == MDB_MAP_FULL ? ERR_FULL : ERR_IO, "writing the new one: %s",
		    mdb_strerror(r->rc));
	if (db == STORE_JOURNAL)
		bound_losses(r, entries);
	return 0;
}

/* In the new store's facts: "from-to from-to ...", after what was not told yet. */
static int
write_losses(struct rebuild *r, struct err *err)
{
	struct buf	 text = { 0 };
	MDB_val		 k = { strlen(STORE_LOST_FACT), (void *)(uintptr_t)STORE_LOST_FACT }, v;
	MDB_dbi		 dbi;

	if ((r->rc = mdb_dbi_open(r->txn, store_db_name(STORE_META), 0, &dbi)) != 0)
		return err_set(err, ERR_IO, "writing the new one: %s", mdb_strerror(r->rc));
	if (mdb_get(r->txn, dbi, &k, &v) == 0)
		buf_add(&text, v.mv_data, v.mv_size);
	for (size_t i = 0; i < r->n_lost; i++)
		buf_printf(&text, "%llu-%llu ", (unsigned long long)r->lost[i].from, (unsigned long long)r->lost[i].to);
	v = (MDB_val){ text.len, text.data };
	if (text.oom)
		r->rc = ENOMEM;
	else if (text.len > 0)
		r->rc = mdb_put(r->txn, dbi, &k, &v, 0);
	buf_free(&text);
	return r->rc == 0 ? 0 : err_set(err, ERR_IO, "writing the new one: %s", mdb_strerror(r->rc));
}

static int
copy_all(struct rebuild *r, struct err *err)
{
	if ((r->rc = mdb_txn_begin(r->env, NULL, 0, &r->txn)) != 0)
		return err_set(err, ERR_IO, "writing the new one: %s", mdb_strerror(r->rc));
	for (int db = 0; db < STORE_DBS; db++)
		if (copy_db(r, (enum store_db)db, err) == -1)
			return -1;
	if (write_losses(r, err) == -1)
		return -1;
	r->rc = mdb_txn_commit(r->txn);
	r->txn = NULL;
	if (r->rc == 0)
		r->rc = mdb_env_sync(r->env, 1);
	return r->rc == 0 ? 0 : err_set(err, ERR_IO, "writing the new one: %s", mdb_strerror(r->rc));
}

static int
sync_folder_of(const char *path, struct err *err)
{
	char	*copy = strdup(path);
	int	 fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int	 rc = fd != -1 && fsync(fd) == 0 ? 0 : err_sys(err, "cannot write the folder of %s to the disk", path);

	if (fd != -1)
		(void)close(fd);
	free(copy);
	return rc;
}

static int
remove_unfinished(const char *fresh, struct err *err)
{
	static const char *const	 files[] = { "data.mdb", "lock.mdb" };
	struct buf			 path = { 0 };
	int				 rc = 0;

	for (size_t i = 0; i < NELEM(files) && rc == 0; i++) {
		buf_reset(&path);
		buf_printf(&path, "%s/%s", fresh, files[i]);
		if (unlink(buf_cstr(&path)) == -1 && errno != ENOENT)
			rc = err_sys(err, "cannot remove %s", buf_cstr(&path));
	}
	buf_free(&path);
	if (rc == 0 && rmdir(fresh) == -1 && errno != ENOENT)
		rc = err_sys(err, "cannot remove %s", fresh);
	return rc;
}

/* The old store steps aside, the new one takes its place. */
static int
change_places(const char *path, const char *fresh, char **kept_r, struct err *err)
{
	struct buf	 kept = { 0 };

	buf_printf(&kept, "%s.damaged-%lld", path, (long long)wall_ms());
	if (kept.oom)
		return err_set(err, ERR_NOMEM, "store");
	if (rename(path, buf_cstr(&kept)) == -1 || rename(fresh, path) == -1) {
		int rc = err_sys(err, "cannot put %s in the place of %s", fresh, path);

		buf_free(&kept);
		return rc;
	}
	*kept_r = buf_steal(&kept);
	return sync_folder_of(path, err);
}

int
store_rebuild(const char *path, struct rebuild_tick tick, char **kept_r, struct err *err)
{
	struct rebuild	*r = calloc(1, sizeof(*r));
	struct buf	 fresh = { 0 }, data = { 0 };
	int		 rc = -1;

	buf_printf(&fresh, "%s.new", path);
	buf_printf(&data, "%s/data.mdb", path);
	if (r == NULL || fresh.oom || data.oom) {
		(void)err_set(err, ERR_NOMEM, "store");
		goto out;
	}
	r->tick = tick;
	if (remove_unfinished(buf_cstr(&fresh), err) == -1 || pages_open(&r->pages, buf_cstr(&data), err) == -1)
		goto out;
	if (mkdir(buf_cstr(&fresh), 0700) == -1) {
		(void)err_sys(err, "cannot create %s", buf_cstr(&fresh));
		goto out;
	}
	if ((r->rc = store_env_open(&r->env, buf_cstr(&fresh), MDB_NOSYNC)) != 0)
		(void)err_set(err, ERR_IO, "%s: %s", buf_cstr(&fresh), mdb_strerror(r->rc));
	else
		rc = copy_all(r, err);
	if (r->txn != NULL)
		mdb_txn_abort(r->txn);
	if (r->env != NULL)
		mdb_env_close(r->env);
	if (rc == 0)
		rc = change_places(path, buf_cstr(&fresh), kept_r, err);
	else
		(void)remove_unfinished(buf_cstr(&fresh), NULL);
out:
	if (r != NULL)
		pages_close(&r->pages);
	free(r);
	buf_free(&fresh);
	buf_free(&data);
	return rc;
}

int
store_rebuild_finish(const char *path, struct err *err)
{
	struct buf	 fresh = { 0 };
	struct stat	 st;
	int		 rc = 0;

	buf_printf(&fresh, "%s.new", path);
	if (fresh.oom)
		rc = err_set(err, ERR_NOMEM, "store");
	else if (lstat(buf_cstr(&fresh), &st) == -1)
		;
	else if (lstat(path, &st) == 0)
		rc = remove_unfinished(buf_cstr(&fresh), err);
	else if (rename(buf_cstr(&fresh), path) == -1)
		rc = err_sys(err, "cannot rename %s", buf_cstr(&fresh));
	else
		rc = sync_folder_of(path, err);
	buf_free(&fresh);
	return rc;
}

int
store_is_whole_enough(const char *path, bool *whole_r, struct err *err)
{
	struct rebuild			 r = { 0 };
	const struct pages_visitor	 v = { count_entry, note_hole, &r };
	struct buf			 data = { 0 };
	struct stat			 st;
	int				 rc;

	buf_printf(&data, "%s/data.mdb", path);
	*whole_r = true;
	if (!data.oom && (stat(buf_cstr(&data), &st) == -1 || st.st_size == 0)) {
		buf_free(&data);
		return 0;	/* it is yet to be made */
	}
	if ((rc = data.oom ? err_set(err, ERR_NOMEM, "store") : pages_open(&r.pages, buf_cstr(&data), err)) == 0)
		rc = pages_newest(r.pages, err);
	if (rc == 0 && pages_cut_short(r.pages)) {
		rc = pages_walk(r.pages, NULL, (struct slice){ 0 }, &v, err);
		for (int db = 0; db < STORE_DBS && rc == 0; db++)
			rc = pages_walk(r.pages, store_db_name((enum store_db)db), (struct slice){ 0 }, &v, err);
	}
	if (rc == -1 && err->code == ERR_NOTFOUND)
		rc = 0;		/* killed before anything was in it */
	*whole_r = rc == 0 && !r.hole;
	pages_close(&r.pages);
	buf_free(&data);
	return rc;
}
