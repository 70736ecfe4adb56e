/* PUT: the statement, and the upload it asks for. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/snowflake/merge.h"
#include "drivers/snowflake/stage.h"

#define ATTEMPTS	5		/* of an upload */
#define RENEWALS	3		/* of its credentials */
#define UPLOAD_MS	600000

/* One file on its way. */
struct transfer {
	struct snow_session	*s;
	const char		*name;
	struct slice		 content;	/* as it is to be uploaded */
	char			 digest[48];	/* of the content before encryption */
	struct snow_envelope	 envelope;
	bool			 encrypted;
};

static bool
ends_gz(const char *name)
{
	size_t	n = strlen(name);

	return n > 3 && strcmp(name + n - 3, ".gz") == 0;
}

/* The local path is for the server's log only: what is uploaded is what we have in hand. */
static enum drv_result
ask_where(struct snow_session *s, const char *path, const char *name, struct snow_stage *stage, struct err *err)
{
	struct buf		 sql = { 0 }, local = { 0 };
	struct snow_statement	 st = { .transfer = true, .doing = "asking where a file goes" };
	struct snow_reply	 r;
	enum drv_result		 rc = DRV_RETRY;

	buf_printf(&local, "file:///eds/%s", name);
	buf_adds(&sql, "PUT ");
	snow_literal(&sql, buf_slice(&local));
	buf_printf(&sql, " %s PARALLEL=1 SOURCE_COMPRESSION=%s AUTO_COMPRESS=FALSE OVERWRITE=TRUE", path,
	    ends_gz(name) ? "GZIP" : "NONE");
	st.sql = buf_slice(&sql);
	if (sql.oom || local.oom)
		err_set(err, ERR_NOMEM, "no memory for an upload");
	else if ((rc = snow_run(s, &st, NULL, NULL, &r, err)) == DRV_STORED &&
	    snow_stage_parse(stage, &r.data, err) != 0)
		rc = DRV_RETRY;
	buf_free(&sql);
	buf_free(&local);
	return rc;
}

/* The stage's host may be reached in clear only where the account's own is: on this machine, in tests. */
static const char *
scheme_of(const struct snow_session *s)
{
	return strncmp(s->account->origin, "http:", 5) == 0 ? "http" : "https";
}

static enum drv_result
store_local(const struct transfer *t, const struct snow_stage *stage, struct err *err)
{
	struct buf	 path = { 0 };
	struct slice	 left = t->content;
	int		 fd = -1;
	enum drv_result	 rc = DRV_RETRY;

	if (strcmp(scheme_of(t->s), "http") != 0) {
		err_set(err, ERR_INVALID, "Snowflake names a directory of this machine as its stage");
		return DRV_RETRY;
	}
	buf_printf(&path, "%s/%s", stage->location, t->name);
	(void)mkdir(stage->location, 0755);	/* open() tells when that was of no use */
	if ((fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) == -1)
		err_sys(err, "cannot write to the stage's directory");
	else {
		for (ssize_t n; left.n > 0; left.p += n, left.n -= (size_t)n)
			if ((n = write(fd, left.p, left.n)) < 0)
				break;
		rc = left.n == 0 && fsync(fd) == 0 ? DRV_STORED : DRV_RETRY;
		if (rc != DRV_STORED)
			err_sys(err, "cannot write to the stage's directory");
		(void)close(fd);
	}
	buf_free(&path);
	return rc;
}

/* The store does not know us, or not any more. */
static bool
wants_credentials(const struct snow_stage *stage, long status)
{
	return status == 401 || status == 403 || (status == 400 && (stage->store == SNOW_S3 || *stage->bearer == '\0'));
}

/* *again_r: with new credentials. */
static enum drv_result
upload(const struct transfer *t, const struct snow_stage *stage, bool *again_r, struct err *err)
{
	const char		*headers[SNOW_UPLOAD_HEADERS + 1] = { NULL };
	struct snow_upload	 u;
	struct slice		 rest, one;
	struct https_again	 again = { .attempts = ATTEMPTS, .total_ms = UPLOAD_MS, .repeatable = true };
	struct https_answer	 answer;
	enum drv_result		 rc = DRV_RETRY;

	if (stage->store == SNOW_LOCAL)
		return store_local(t, stage, err);
	if (snow_upload_make(&u, stage, scheme_of(t->s), t->name, t->digest, t->encrypted ? &t->envelope : NULL, wall_ms(),
	    err) != 0)
		return DRV_RETRY;
	rest = buf_slice(&u.text);
	for (size_t i = 0; i < u.nlines && i < SNOW_UPLOAD_HEADERS && slice_cut(&rest, '\0', &one); i++)
		headers[i] = one.p;
	if (https_fetch(t->s->wire.https, &(struct https_request){ .method = "PUT", .url = buf_cstr(&u.url),
	    .headers = headers, .body = t->content, .timeout_ms = UPLOAD_MS }, &again, &answer, err) != 0) {
		err_prefix(err, "the upload to Snowflake's stage");
	} else if (answer.status == 200 || answer.status == 201) {
		rc = DRV_STORED;
	} else {
		*again_r = wants_credentials(stage, answer.status);
		err_set(err, ERR_TEMPORARY, "the upload to Snowflake's stage is answered with HTTP %ld",
		    answer.status);
	}
	snow_upload_free(&u);
	return rc;
}

/* A file that nobody else sees, for what has to be encrypted first. */
static int
spool_open(const char *dir, struct err *err)
{
	int	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd == -1 ? err_sys(err, "no temporary file in %s", dir) : fd;
}

static int
seal(struct transfer *t, const struct snow_stage *stage, int fd, void **map_r, size_t *size_r, struct err *err)
{
	struct stat	 st;

	if (snow_encrypt(&t->envelope, fd, t->content, slice_of(stage->master), NULL, err) != 0)
		return -1;
	if (fstat(fd, &st) != 0)
		return err_sys(err, "a temporary file");
	*size_r = (size_t)st.st_size;
	if ((*map_r = mmap(NULL, *size_r, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
		*map_r = NULL;
		return err_sys(err, "a temporary file");
	}
	t->content = (struct slice){ *map_r, *size_r };
	t->encrypted = true;
	return 0;
}

/* Under one PUT statement, whose key the file is encrypted with. */
static enum drv_result
put_once(const struct transfer *file, const char *path, const char *spool_dir, bool *again_r, struct err *err)
{
	struct transfer		 t = *file;
	struct snow_stage	 stage = { .store = SNOW_LOCAL };
	enum drv_result		 rc;
	void			*map = NULL;
	size_t			 size = 0;
	int			 fd = -1;

	if ((rc = ask_where(t.s, path, t.name, &stage, err)) != DRV_STORED)
		return rc;
	rc = DRV_RETRY;
	if (*stage.master != '\0' && stage.store != SNOW_LOCAL &&
	    ((fd = spool_open(spool_dir, err)) == -1 || seal(&t, &stage, fd, &map, &size, err) != 0))
		goto out;
	rc = upload(&t, &stage, again_r, err);
out:
	if (map != NULL)
		(void)munmap(map, size);
	if (fd != -1)
		(void)close(fd);
	snow_stage_free(&stage);
	return rc;
}

enum drv_result
snow_put(struct snow_session *s, const char *path, const char *name, struct slice content, const char *spool_dir,
    struct err *err)
{
	struct transfer	 t = { .s = s, .name = name, .content = content };
	enum drv_result	 rc = DRV_RETRY;
	bool		 again = true;

	if (snow_digest(t.digest, content, err) != 0)
		return DRV_RETRY;
	for (unsigned n = 0; again && n < RENEWALS; n++) {
		again = false;
		rc = put_once(&t, path, spool_dir, &again, err);
	}
	return rc;
}
