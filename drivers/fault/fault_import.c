/* The fault driver's import: a staging file beside the store. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/fault/fault_private.h"

static void
names(const struct drv *drv, struct buf *rows, struct buf *safe)
{
	buf_printf(rows, "%s.import-%s", drv->store_path, drv->job);
	buf_printf(safe, "%s.import-%s.safe", drv->store_path, drv->job);
}

/* How much of the staging file is committed. */
static off_t
safe_length(const char *path)
{
	FILE		*f = fopen(path, "re");
	long long	 n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lld", &n) != 1)
		n = 0;
	(void)fclose(f);
	return (off_t)n;
}

enum drv_result
fault_import_begin(struct drv *drv, const struct drv_import *import, struct err *err)
{
	struct buf	 rows = { 0 }, safe = { 0 };
	enum drv_result	 rc = fault_obey(drv, CALL_BEGIN, NULL, &(struct drv_outcome){ 0 }, err);

	free(drv->job);
	drv->job = slice_dup(import->job);
	drv->keep = import->keep;
	if (rc != DRV_STORED || drv->job == NULL || drv->store == -1)
		return rc;
	names(drv, &rows, &safe);
	drv->live = import->ending && access(buf_cstr(&rows), F_OK) == -1;
	drv->safe = import->resumed ? safe_length(buf_cstr(&safe)) : 0;
	if (!drv->live && ((drv->staged = open(buf_cstr(&rows), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) == -1 ||
	    ftruncate(drv->staged, drv->safe) == -1)) {
		(void)err_sys(err, "cannot open %s", buf_cstr(&rows));
		rc = DRV_CONFIG;
	}
	buf_free(&rows);
	buf_free(&safe);
	return rc;
}

enum drv_result
fault_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	enum drv_result	 rc = fault_obey(drv, CALL_ROWS, batch, out, &out->err);

	(void)table;
	/* What is not committed is gone, as with a connection that broke. */
	if ((rc == DRV_RETRY || rc == DRV_UNSURE) && drv->staged != -1 && ftruncate(drv->staged, drv->safe) == -1)
		return DRV_BROKEN;
	if (rc != DRV_STORED || drv->staged == -1)
		return rc;
	return fault_write(drv, drv->staged, batch, &out->err) ? DRV_STORED : DRV_BROKEN;
}

/* In one step: a length that is half written would lose what was committed before. */
static int
note_safe(struct drv *drv, const char *path)
{
	struct buf	 fresh = { 0 };
	off_t		 end = lseek(drv->staged, 0, SEEK_END);
	FILE		*f;
	int		 rc = -1;

	buf_printf(&fresh, "%s.new", path);
	if (end != -1 && fdatasync(drv->staged) == 0 && (f = fopen(buf_cstr(&fresh), "we")) != NULL) {
		rc = fprintf(f, "%lld\n", (long long)end) < 0 ? -1 : 0;
		if (fclose(f) != 0 || rc == -1 || rename(buf_cstr(&fresh), path) == -1)
			rc = -1;
	}
	if (rc == 0)
		drv->safe = end;
	buf_free(&fresh);
	return rc;
}

enum drv_result
fault_import_commit(struct drv *drv, struct err *err)
{
	struct buf	 rows = { 0 }, safe = { 0 };
	enum drv_result	 rc = fault_obey(drv, CALL_COMMIT, NULL, &(struct drv_outcome){ 0 }, err);

	if (rc != DRV_STORED || drv->staged == -1)
		return rc;
	names(drv, &rows, &safe);
	if (note_safe(drv, buf_cstr(&safe)) == -1) {
		(void)err_sys(err, "cannot commit %s", buf_cstr(&rows));
		rc = DRV_RETRY;
	}
	buf_free(&rows);
	buf_free(&safe);
	return rc;
}

/* What was there goes in front. */
static int
keep_old(struct drv *drv, const char *rows)
{
	char	 bytes[8192];
	struct buf mixed = { 0 };
	int	 fd, from[2] = { drv->store, drv->staged }, rc = -1;
	ssize_t	 n = 0;

	buf_printf(&mixed, "%s.mixed", rows);
	if ((fd = open(buf_cstr(&mixed), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) == -1)
		goto out;
	for (size_t i = 0; i < 2; i++) {
		off_t at = 0;

		while ((n = pread(from[i], bytes, sizeof(bytes), at)) > 0 && write(fd, bytes, (size_t)n) == n)
			at += n;
		if (n != 0)
			goto out;
	}
	rc = fdatasync(fd) == 0 && rename(buf_cstr(&mixed), rows) == 0 ? 0 : -1;
out:
	if (fd != -1)
		(void)close(fd);
	buf_free(&mixed);
	return rc;
}

enum drv_result
fault_import_end(struct drv *drv, struct err *err)
{
	struct buf	 rows = { 0 }, safe = { 0 };
	enum drv_result	 rc = DRV_STORED;

	if (drv->staged != -1 && !drv->live) {
		names(drv, &rows, &safe);
		if ((drv->keep && keep_old(drv, buf_cstr(&rows)) == -1) || rename(buf_cstr(&rows), drv->store_path) == -1) {
			(void)err_sys(err, "cannot put %s in its place", buf_cstr(&rows));
			rc = DRV_RETRY;
		} else {
			(void)unlink(buf_cstr(&safe));
			drv->live = true;
		}
	}
	buf_free(&rows);
	buf_free(&safe);
	/* Commands come last: what they make of it happens after the swap, where it is hardest. */
	return rc == DRV_STORED ? fault_obey(drv, CALL_END, NULL, &(struct drv_outcome){ 0 }, err) : rc;
}

void
fault_import_abort(struct drv *drv)
{
	struct buf	 rows = { 0 }, safe = { 0 };

	if (drv->job != NULL && drv->store != -1) {
		names(drv, &rows, &safe);
		(void)unlink(buf_cstr(&rows));
		(void)unlink(buf_cstr(&safe));
	}
	buf_free(&rows);
	buf_free(&safe);
}
