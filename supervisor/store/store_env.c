/* The LMDB environment of the store: opening it, also when it is damaged, and opening it again. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/store/damage.h"
#include "supervisor/store/pages.h"
#include "supervisor/store/store_private.h"

#define STORE_VERSION	1
#define STORE_MAP_SIZE	((size_t)1 << 36)	/* address space, not disk: room for the largest journal */

static const char *const db_names[STORE_DBS] = {
	[STORE_META] = "meta", [STORE_CURSORS] = "cursors", [STORE_TABLES] = "tables",
	[STORE_SCHEMAS] = "schemas", [STORE_QUARANTINE] = "quarantine", [STORE_JOURNAL] = "journal",
};

const char *
store_db_name(enum store_db db)
{
	return db_names[db];
}

static bool
means_damage(int rc)
{
	return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID;
}

void
store_note_damage(struct store *st)
{
	if (!atomic_exchange(&st->damaged, true))
		damage_mark(st->path);
}

int
store_error(struct store *st, int rc, const char *what, struct err *err)
{
	if (rc == MDB_PANIC || rc == EIO || rc == ENOSPC || rc == EDQUOT)
		atomic_store(&st->broken, true);
	if (means_damage(rc))
		store_note_damage(st);
	switch (rc) {
	case MDB_NOTFOUND:
		return err_set(err, ERR_NOTFOUND, "%s: not found", what);
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		return err_set(err, ERR_FULL, "%s: no room for the store %s; free some disk space", what, st->path);
	case MDB_PANIC:	/* a write failed before */
	case EIO:	/* also LMDB's word for a write that was cut short */
		return err_set(err, ERR_IO, "%s: the store %s cannot be read or written; look for a full or failing disk", what, st->path);
	case ENOMEM:
		return err_set(err, ERR_NOMEM, "%s", what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return err_set(err, ERR_INVALID, "%s: the store %s is damaged (%s); it is built anew from what can be read", what,
		    st->path, mdb_strerror(rc));
	default:
		return err_set(err, ERR_IO, "%s: store %s: %s", what, st->path, mdb_strerror(rc));
	}
}

/* Writers of the thread that opened the store share its batch while one is open; others wait for LMDB's lock. */
int
store_begin(struct store *st, unsigned flags, MDB_txn **txn_r)
{
	return st->env == NULL ? MDB_PANIC : mdb_txn_begin(st->env, NULL, flags, txn_r);
}

/* Without MDB_NOTLS a callback that is given entries could not look at others. */
int
store_env_open(MDB_env **env_r, const char *path, unsigned flags)
{
	int	 rc;

	if ((rc = mdb_env_create(env_r)) != 0)
		return rc;
	if ((rc = mdb_env_set_maxdbs(*env_r, STORE_DBS)) == 0 && (rc = mdb_env_set_mapsize(*env_r, STORE_MAP_SIZE)) == 0)
		rc = mdb_env_open(*env_r, path, MDB_NORDAHEAD | MDB_NOTLS | flags, 0600);
	return rc;
}

/* Ends the transaction. */
static int
name_dbs(struct store *st, MDB_txn *txn, unsigned flags)
{
	int	 rc = 0;

	for (int i = 0; i < STORE_DBS && rc == 0; i++)
		rc = mdb_dbi_open(txn, db_names[i], flags, &st->db[i]);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* LMDB does not tell where its map is; the kernel does. */
static void
find_map(struct store *st)
{
	struct buf	 name = { 0 };
	char		 line[5000];
	FILE		*f = fopen("/proc/self/maps", "re");
	uintptr_t	 from, to;
	char		*path;

	buf_printf(&name, "%s/data.mdb\n", st->path);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if ((path = strchr(line, '/')) != NULL && strcmp(path, buf_cstr(&name)) == 0 &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2) {
			st->map = (void *)from;
			break;
		}
	if (f != NULL)
		(void)fclose(f);
	buf_free(&name);
}

static void
close_env(struct store *st)
{
	damage_unguard();
	pages_close(&st->pages);
	if (st->env != NULL)
		mdb_env_close(st->env);
	st->env = NULL;
	st->map = NULL;
}

static int
open_env(struct store *st)
{
	MDB_txn	*txn;
	int	 rc, dead;

	if ((rc = store_env_open(&st->env, st->path, 0)) != 0)
		return rc;
	find_map(st);
	damage_guard(st->env, st->path, st->map, STORE_MAP_SIZE);
	if ((rc = mdb_reader_check(st->env, &dead)) != 0)
		return rc;
	return (rc = store_begin(st, 0, &txn)) == 0 ? name_dbs(st, txn, MDB_CREATE) : rc;
}

static int
rebuild(struct store *st, struct err *err)
{
	char		*kept = NULL;
	struct err	 why = { 0 };

	close_env(st);
	if (store_rebuild(st->path, st->tick, &kept, &why) == -1)
		return err_set(err, why.code, "the store %s is damaged and cannot be built anew: %.700s%s", st->path, why.text,
		    why.code != ERR_INVALID ? "" : "; stop the server, move the directory away and start again: delivery then "
		    "resumes where the stream's consumer stands");
	free(st->kept);
	st->kept = kept;
	atomic_store(&st->damaged, false);
	return 0;
}

/* Was damage seen before, or is there less of the file than is in use?  What cannot even be looked at is damaged too. */
static int
looks_whole(struct store *st, bool *whole_r, struct err *err)
{
	struct err	 why = { 0 };

	*whole_r = !damage_is_marked(st->path);
	if (!*whole_r || store_is_whole_enough(st->path, whole_r, &why) == 0)
		return 0;
	*whole_r = false;
	if (why.code == ERR_INVALID)
		return 0;
	*err = why;
	return -1;
}

static int
check_version(struct store *st, struct err *err)
{
	struct buf	 have = { 0 };
	uint64_t	 v = 0;
	int		 rc;

	rc = store_get(st, STORE_META, SLICE("version"), &have, "version of the store", err);
	if (rc == -1 && err->code == ERR_NOTFOUND) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%d", STORE_VERSION);
		rc = store_put(st, STORE_META, SLICE("version"), slice_of(text), "version of the store", err);
	} else if (rc == 0 && (!slice_u64(buf_slice(&have), &v) || v == 0 || v > STORE_VERSION))
		rc = err_set(err, ERR_INVALID, "the store %s has version %s, this program knows up to %d; install a newer eds",
		    st->path, buf_cstr(&have), STORE_VERSION);
	buf_free(&have);
	return rc;
}

int
store_mend(struct store *st, struct err *err)
{
	MDB_txn	*txn;
	int	 rc;

	if ((!atomic_load(&st->broken) && !atomic_load(&st->damaged)) || st->walks > 0 || st->batch != NULL)
		return 0;
	if (atomic_load(&st->damaged)) {
		if (rebuild(st, err) == -1)
			return -1;
	} else if (store_begin(st, MDB_RDONLY, &txn) == 0) {
		mdb_txn_abort(txn);	/* not one of those failures */
		atomic_store(&st->broken, false);
		return 0;
	}
	close_env(st);
	if ((rc = open_env(st)) != 0) {
		close_env(st);
		return store_error(st, rc, "opening the store again", err);
	}
	atomic_store(&st->broken, false);
	return 0;
}

bool
store_damaged(const struct store *st)
{
	return atomic_load(&st->damaged);
}

char *
store_kept(struct store *st)
{
	char	*kept = st->kept;

	st->kept = NULL;
	return kept;
}

void
store_give_back_pages(struct store *st)
{
	MDB_envinfo	 info;
	MDB_stat	 stat;

	if (st->map != NULL && mdb_env_info(st->env, &info) == 0 && mdb_env_stat(st->env, &stat) == 0)
		(void)madvise(st->map, (info.me_last_pgno + 1) * stat.ms_psize, MADV_DONTNEED);
}

static int
open_whole(struct store *st, struct err *err)
{
	bool	 whole = true;
	int	 rc;

	if (store_rebuild_finish(st->path, err) == -1)
		return -1;
	if (mkdir(st->path, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "cannot create the store %s", st->path);
	if (looks_whole(st, &whole, err) == -1 || (!whole && rebuild(st, err) == -1))
		return -1;
	if ((rc = open_env(st)) != 0 && means_damage(rc)) {
		if (rebuild(st, err) == -1)
			return -1;
		rc = open_env(st);
	}
	return rc == 0 ? check_version(st, err) : store_error(st, rc, "opening the store", err);
}

int
store_open_patiently(struct store **st_r, const char *data_dir, struct rebuild_tick tick, struct err *err)
{
	struct store	*st;
	struct buf	 path = { 0 };
	int		 rc;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		return err_set(err, ERR_NOMEM, "store");
	st->thread = pthread_self();
	st->tick = tick;
	buf_printf(&path, "%s/store", data_dir);
	st->path = buf_steal(&path);
	rc = st->path == NULL ? err_set(err, ERR_NOMEM, "store") : open_whole(st, err);
	if (rc == 0)
		*st_r = st;
	else
		store_close(&st);
	return rc;
}

int
store_open(struct store **st_r, const char *data_dir, struct err *err)
{
	return store_open_patiently(st_r, data_dir, (struct rebuild_tick){ 0 }, err);
}

void
store_close(struct store **stp)
{
	struct store	*st = *stp;

	if (st == NULL)
		return;
	if (st->batch != NULL)
		mdb_txn_abort(st->batch);
	close_env(st);
	free(st->kept);
	free(st->path);
	free(st);
	*stp = NULL;
}
