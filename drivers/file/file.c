/*
 * The file driver: one JSON document per change, in a directory per table
 * (names: file_name.h).  URL: file:///directory, ?unique=1.
 *
 * A batch becomes visible only when it is on the disk.  All documents are
 * written under temporary names and made durable, then given their names in
 * stream order, then the names are made durable.  A reader never sees half a
 * document; after a crash the batch comes again and overwrites itself.
 *
 * Directories are opened anew for every batch, so that one which was moved away,
 * unmounted or created again is noticed instead of being written to.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/driver.h"
#include "drivers/file/file_name.h"
#include "drivers/object/object_name.h"
#include "ipc/base/hash.h"
#include "ipc/base/url.h"

#define BATCH_EVENTS	1000
#define BATCH_BYTES	((size_t)8 << 20)

/*
 * From this many files on, one syncfs() is cheaper than an fsync() each.  Measured on ext4:
 * 0.35 ms against 0.7 ms for one file, 2.3 against 0.9 for 8, 300 against 40 for 1000.
 */
#define SYNCFS_FROM	4

/* The directories a batch touches. */
struct table {
	char	*name;		/* as in the file system */
	int	 fd;
};

struct drv {
	const struct drv_env	*env;
	char			*dir;
	bool			 unique;
	char			 mark[17];	/* tells our temporary files from other destinations' */
	int			 base;		/* the rest: during a batch */
	struct table		*tables;
	size_t			 n_tables;
	size_t			 cap_tables;
	size_t			 at[BATCH_EVENTS];	/* table of each event */
	size_t			 first;		/* temporary files exist from this event ... */
	size_t			 end;		/* ... to before this one */
	struct buf		 name;
	struct buf		 text;
};

static void
temporary_name(char *out, size_t size, const struct drv *drv, size_t i)
{
	(void)snprintf(out, size, ".eds-%s-%zu", drv->mark, i);
}

/* The number of the i-th event's temporary file.  They are written from the last event to the first. */
static size_t
number(const struct drv_batch *batch, size_t i)
{
	return batch->n - 1 - i;
}

static int
parse_url(const char *text, char **dir_r, bool *unique_r, struct err *err)
{
	struct url	 u = { 0 };
	struct buf	 dir = { 0 };
	char		*unique = NULL;
	int		 rc = -1;

	if (url_parse(&u, slice_of(text), err) == -1)
		goto out;
	if (u.path[0] == '\0') {
		(void)err_set(err, ERR_CONFIG, "path is required in url which should be the directory to store files");
		goto out;
	}
	unique = url_query_get(&u, "unique");
	if (unique != NULL && strcmp(unique, "0") != 0 && strcmp(unique, "1") != 0) {
		(void)err_set(err, ERR_CONFIG, "unique in the URL must be 0 or 1");
		goto out;
	}
	*unique_r = unique != NULL && unique[0] == '1';
	object_name_clean_path(&dir, slice_of(u.path));
	if ((*dir_r = buf_steal(&dir)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the URL");
		goto out;
	}
	rc = 0;
out:
	free(unique);
	url_free(&u);
	return rc;
}

static int
file_validate(const char *url, struct err *err)
{
	char	*dir = NULL;
	bool	 unique;
	int	 rc = parse_url(url, &dir, &unique, err);

	free(dir);
	return rc;
}

/* What errno means for the whole destination, in words that name the remedy. */
static enum drv_result
trouble(const struct drv *drv, const char *what, struct err *err)
{
	int		 e = errno;
	const char	*remedy = NULL;

	switch (e) {
	case ENOSPC:
		remedy = "free some space there, delivery then goes on by itself";
		break;
	case EDQUOT:
		remedy = "raise the quota or remove files, delivery then goes on by itself";
		break;
	case ENOENT:
		remedy = "the directory is gone: create or mount it again, delivery then goes on by itself";
		break;
	case EROFS:
		remedy = "mount the file system for writing, delivery then goes on by itself";
		break;
	case EACCES:
	case EPERM:
		remedy = "give the user that eds runs as the right to write there, delivery then goes on by itself";
		break;
	case EIO:
		remedy = "the disk reports errors: look at the kernel's log";
		break;
	}
	errno = e;
	(void)err_sys(err, "%s in %s", what, drv->dir);
	err_remedy(err, remedy);
	return DRV_RETRY;
}

/* mkdir -p; 0755 less the umask. */
static int
make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		int rc, e;

		*at = '\0';
		rc = mkdir(path, 0755);
		e = errno;
		*at = '/';
		/* A parent that is there may well be on a read-only file system or not be ours to write to. */
		if (rc == -1 && e != EEXIST && e != EROFS && e != EACCES && e != EISDIR)
			return errno = e, -1;
	}
	return mkdir(path, 0755) == -1 && errno != EEXIST ? -1 : 0;
}

static int
open_base(struct drv *drv)
{
	return drv->base = open(drv->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
close_base(struct drv *drv)
{
	if (drv->base != -1)
		(void)close(drv->base);
	drv->base = -1;
}

/* Writes and removes a file, since access(2) does not know of everything that can be in the way. */
static int
try_writing(struct drv *drv)
{
	char	 name[64];
	int	 fd;

	temporary_name(name, sizeof(name), drv, 0);
	if (open_base(drv) == -1 ||
	    (fd = openat(drv->base, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) == -1)
		return -1;
	(void)close(fd);
	if (unlinkat(drv->base, name, 0) == -1)
		return -1;
	return syncfs(drv->base);	/* directories just made are to last */
}

/* Removes (or only counts) our temporary files with those numbers in every table's directory; how many there were. */
static size_t
sweep(struct drv *drv, size_t from, size_t to, bool remove)
{
	DIR		*dir = opendir(drv->dir);
	struct dirent	*entry;
	size_t		 n = 0;
	char		 name[64];
	int		 fd;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
		    (fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
			continue;
		for (size_t i = from; i < to; i++) {
			temporary_name(name, sizeof(name), drv, i);
			n += (remove ? unlinkat(fd, name, 0) : faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW)) == 0;
		}
		(void)close(fd);
	}
	(void)closedir(dir);
	return n;
}

/*
 * Temporary files that a crash has left.  However far a batch came, number 0 is
 * the first to be written and the last to be renamed (see number()), so one look
 * per table tells that there are none, without reading a directory of a million files.
 * Number 0 goes last here too: the sweep itself may be killed.
 */
static void
sweep_leftovers(struct drv *drv)
{
	if (sweep(drv, 0, 1, false) == 0)
		return;
	(void)sweep(drv, 1, BATCH_EVENTS, true);
	(void)sweep(drv, 0, 1, true);
}

static enum drv_result
open_directory(struct drv *drv, struct err *err)
{
	int	 e;

	if (make_directories(drv->dir) == 0 && try_writing(drv) == 0) {
		close_base(drv);
		sweep_leftovers(drv);
		return DRV_STORED;
	}
	e = errno;
	close_base(drv);
	errno = e;
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case ENOMEM:
	case ENFILE:
		return trouble(drv, "cannot write", err);
	case ENOTDIR:
	case EEXIST:
		(void)err_set(err, ERR_CONFIG, "%s cannot be a directory, because a part of that path is a file; "
		    "name another directory in the URL or move the file away", drv->dir);
		return DRV_CONFIG;
	default:
		(void)err_sys(err, "the directory %s cannot be created or written to; give the user that eds runs as "
		    "the right to, or name another directory in the URL", drv->dir);
		return DRV_CONFIG;
	}
}

static void
release_tables(struct drv *drv)
{
	for (size_t i = 0; i < drv->n_tables; i++) {
		if (drv->tables[i].fd != -1)
			(void)close(drv->tables[i].fd);
		free(drv->tables[i].name);
	}
	drv->n_tables = 0;
	close_base(drv);
}

static void
file_close(struct drv **drvp)
{
	struct drv	*drv = *drvp;

	if (drv == NULL)
		return;
	release_tables(drv);
	free(drv->tables);
	free(drv->dir);
	buf_free(&drv->name);
	buf_free(&drv->text);
	free(drv);
	*drvp = NULL;
}

static enum drv_result
file_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = calloc(1, sizeof(*drv));
	enum drv_result	 rc;

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	drv->env = env;
	drv->base = -1;
	hash_hex(slice_of(env->destination), drv->mark);
	if (parse_url(env->url, &drv->dir, &drv->unique, err) == -1)
		rc = DRV_CONFIG;
	else if ((rc = open_directory(drv, err)) == DRV_STORED) {
		*drv_r = drv;
		drv = NULL;
	}
	file_close(&drv);
	return rc;
}

/* Opens it and, where there was no directory, leaves none. */
static enum drv_result
file_test(const struct drv_env *env, struct err *err)
{
	struct drv	*drv = NULL;
	char		*dir = NULL;
	bool		 unique, was_there;
	enum drv_result	 rc;

	if (parse_url(env->url, &dir, &unique, err) == -1)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	was_there = access(dir, F_OK) == 0;
	rc = file_open(&drv, env, err);
	file_close(&drv);
	if (!was_there)
		(void)rmdir(dir);
	free(dir);
	return rc;
}

/* Opens the table's directory, which is created when need be. */
static int
open_table(struct drv *drv, const char *name)
{
	int	 fd = openat(drv->base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (mkdirat(drv->base, name, 0755) == -1 && errno != EEXIST)
		return -1;
	return openat(drv->base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Index into drv->tables of the event's table; -1 with errno. */
static int
find_table(struct drv *drv, const struct event *ev, size_t *index_r)
{
	struct table	*grown;
	size_t		 cap, i;

	buf_reset(&drv->name);
	file_table_name(&drv->name, ev->table);
	for (i = drv->n_tables; i-- > 0; )	/* the last one is most likely */
		if (slice_is(buf_slice(&drv->name), drv->tables[i].name)) {
			*index_r = i;
			return 0;
		}
	if (drv->n_tables == drv->cap_tables) {
		cap = drv->cap_tables == 0 ? 16 : drv->cap_tables * 2;
		if ((grown = realloc(drv->tables, cap * sizeof(*grown))) == NULL)
			return -1;
		drv->tables = grown;
		drv->cap_tables = cap;
	}
	grown = &drv->tables[drv->n_tables];
	*grown = (struct table){ .fd = -1, .name = slice_dup(buf_slice(&drv->name)) };
	if (grown->name == NULL || drv->name.oom)
		return errno = ENOMEM, -1;
	drv->n_tables++;
	*index_r = drv->n_tables - 1;
	return grown->fd = open_table(drv, grown->name), grown->fd == -1 ? -1 : 0;
}

static int
write_all(int fd, struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		s.p += n;
		s.n -= (size_t)n;
	}
	return 0;
}

static int
write_temporary(struct drv *drv, const struct drv_batch *batch, size_t i, bool sync)
{
	char	 name[64];
	int	 fd, rc, e;

	buf_reset(&drv->text);
	event_store_json(batch->v[i].ev, &drv->text);
	if (drv->text.oom)
		return errno = ENOMEM, -1;
	temporary_name(name, sizeof(name), drv, number(batch, i));
	fd = openat(drv->tables[drv->at[i]].fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	drv->first = i;
	rc = write_all(fd, buf_slice(&drv->text));
	if (rc == 0 && sync)
		rc = fsync(fd);
	e = errno;
	if (close(fd) == -1 && rc == 0)
		return -1;
	errno = e;
	return rc;
}

/* After a failure the space is given back. */
static void
remove_temporaries(struct drv *drv, const struct drv_batch *batch)
{
	char	 name[64];

	for (size_t i = drv->first; i < drv->end; i++) {
		temporary_name(name, sizeof(name), drv, number(batch, i));
		(void)unlinkat(drv->tables[drv->at[i]].fd, name, 0);
	}
}

/* This one name is impossible; everything else is the destination's trouble. */
static bool
only_this_event(int e)
{
	return e == EISDIR || e == ENAMETOOLONG || e == EILSEQ || e == EINVAL || e == ENOTDIR;
}

static enum drv_result
event_trouble(struct drv *drv, const char *what, size_t i, struct drv_outcome *out)
{
	int	 e = errno;

	if (!only_this_event(e))
		return trouble(drv, what, &out->err);
	out->index = i;
	errno = e;
	(void)err_sys(&out->err, "%s in %s: the file system cannot give it the name %s", what, drv->dir,
	    buf_cstr(&drv->name));
	return DRV_REJECT;
}

static enum drv_result
write_batch(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	bool	 each = batch->n < SYNCFS_FROM;

	drv->first = drv->end = batch->n;
	for (size_t i = batch->n; i-- > 0; ) {
		if (find_table(drv, batch->v[i].ev, &drv->at[i]) == -1)
			return event_trouble(drv, "cannot open the table's directory", i, out);
		if (write_temporary(drv, batch, i, each) == -1)
			return trouble(drv, "cannot write", &out->err);
	}
	if (!each && syncfs(drv->base) == -1)
		return trouble(drv, "cannot write to the disk", &out->err);
	return DRV_STORED;
}

static enum drv_result
name_batch(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	char	 name[64];

	for (size_t i = 0; i < batch->n; i++) {
		int table = drv->tables[drv->at[i]].fd;

		temporary_name(name, sizeof(name), drv, number(batch, i));
		buf_reset(&drv->name);
		file_object_name(&drv->name, batch->v[i].ev, drv->unique);
		if (renameat(table, name, table, buf_cstr(&drv->name)) == -1)
			return event_trouble(drv, "cannot name the document", i, out);
		drv->first = i + 1;
	}
	for (size_t i = 0; i < drv->n_tables; i++)
		if (fsync(drv->tables[i].fd) == -1)
			return trouble(drv, "cannot write the directory to the disk", &out->err);
	/* Names of tables are names too. */
	return fsync(drv->base) == -1 ? trouble(drv, "cannot write the directory to the disk", &out->err) : DRV_STORED;
}

static enum drv_result
file_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	enum drv_result	 rc;

	if (batch->n > BATCH_EVENTS)
		bug("a batch of %zu events for the file driver", batch->n);
	if (open_base(drv) == -1)
		return trouble(drv, "cannot open the directory", &out->err);
	if ((rc = write_batch(drv, batch, out)) == DRV_STORED)
		rc = name_batch(drv, batch, out);
	if (rc != DRV_STORED)
		remove_temporaries(drv, batch);
	release_tables(drv);
	return rc;
}

/* An imported row is a document like any other; rows that came before are overwritten by themselves. */
static enum drv_result
file_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	(void)table;
	return file_deliver(drv, batch, out);
}

const struct driver driver_file = {
	.abi		= DRIVER_ABI,
	.id		= "file",
	.caps		= DRV_CAP_IDEMPOTENT,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= file_validate,
	.open		= file_open,
	.deliver	= file_deliver,
	.test		= file_test,
	.import_rows	= file_import_rows,
	.close		= file_close,
};
