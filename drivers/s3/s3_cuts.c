/* The ends of rolls, one line of digits each. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/s3/s3_cuts.h"
#include "ipc/base/buf.h"

#define LINE		21			/* bytes of one */
#define FILE_LINES	(4 * S3_CUTS_KEPT)	/* then the file is written anew */

struct s3_cuts {
	char		*path;			/* NULL: in memory alone */
	int		 fd;
	size_t		 lines;			/* in the file */
	uint64_t	 v[S3_CUTS_KEPT];	/* a ring */
	size_t		 n, at;
};

static void
note(struct s3_cuts *c, uint64_t seq)
{
	c->v[c->at] = seq;
	c->at = (c->at + 1) % S3_CUTS_KEPT;
	if (c->n < S3_CUTS_KEPT)
		c->n++;
}

size_t
s3_cuts_parse(struct slice text, uint64_t *out, size_t cap)
{
	struct slice	 line;
	size_t		 n = 0;

	while (n < cap && text.n >= LINE && slice_cut(&text, '\n', &line))
		if (line.n == LINE - 1 && slice_u64(line, &out[n]))
			n++;
	return n;
}

/* The lines of the ring, oldest first, in a new file that takes the old one's place. */
static int
write_anew(struct s3_cuts *c, struct err *err)
{
	struct buf	 text = { 0 }, name = { 0 };
	int		 fd, rc = -1;

	for (size_t i = 0; i < c->n; i++)
		buf_printf(&text, "%020" PRIu64 "\n", c->v[(c->at + S3_CUTS_KEPT - c->n + i) % S3_CUTS_KEPT]);
	buf_printf(&name, "%s.new", c->path);
	fd = open(buf_cstr(&name), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, buf_cstr(&text), text.len) != (ssize_t)text.len || fsync(fd) == -1 ||
	    rename(buf_cstr(&name), c->path) == -1)
		(void)err_sys(err, "cannot write %s", c->path);
	else
		rc = 0;
	if (c->fd != -1)
		(void)close(c->fd);
	c->fd = fd;
	c->lines = c->n;
	buf_free(&text);
	buf_free(&name);
	return rc;
}

static int
load(struct s3_cuts *c, struct err *err)
{
	struct buf	 b = { 0 };
	uint64_t	*v = NULL;
	size_t		 n;
	ssize_t		 got = 0;
	int		 fd = open(c->path, O_RDONLY | O_CLOEXEC), rc = -1;

	if (fd == -1 && errno != ENOENT)
		return err_sys(err, "cannot read %s", c->path);
	while (fd != -1 && b.len < (size_t)LINE * FILE_LINES * 2 && buf_reserve(&b, 65536) &&
	    (got = read(fd, b.data + b.len, 65536)) > 0)
		b.len += (size_t)got;
	if (got == -1)
		(void)err_sys(err, "cannot read %s", c->path);
	else if (b.oom || (v = calloc(b.len / LINE + 1, sizeof(*v))) == NULL)
		(void)err_set(err, ERR_NOMEM, "no memory for %s", c->path);
	else
		rc = 0;
	n = rc == 0 ? s3_cuts_parse(buf_slice(&b), v, b.len / LINE) : 0;
	for (size_t i = 0; i < n; i++)
		note(c, v[i]);
	if (fd != -1)
		(void)close(fd);
	free(v);
	buf_free(&b);
	return rc;
}

int
s3_cuts_open(struct s3_cuts **cuts_r, const char *folder, struct err *err)
{
	struct s3_cuts	*c = calloc(1, sizeof(*c));
	struct buf	 path = { 0 };

	if (c == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the ends of rolls");
	c->fd = -1;
	if (folder[0] != '\0') {
		if (mkdir(folder, 0700) == -1 && errno != EEXIST) {
			(void)err_sys(err, "cannot create %s", folder);
			goto fail;
		}
		buf_printf(&path, "%s/rolls", folder);
		if ((c->path = buf_steal(&path)) == NULL) {
			(void)err_set(err, ERR_NOMEM, "no memory for the ends of rolls");
			goto fail;
		}
		/* written anew at once, because the last line may be half of one */
		if (load(c, err) != 0 || write_anew(c, err) != 0)
			goto fail;
	}
	*cuts_r = c;
	return 0;
fail:
	s3_cuts_close(&c);
	return -1;
}

void
s3_cuts_close(struct s3_cuts **cp)
{
	struct s3_cuts	*c = *cp;

	if (c == NULL)
		return;
	if (c->fd != -1)
		(void)close(c->fd);
	free(c->path);
	free(c);
	*cp = NULL;
}

uint64_t
s3_cuts_end(const struct s3_cuts *c, uint64_t seq, uint64_t most)
{
	uint64_t	 end = most;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] >= seq && c->v[i] < end)
			end = c->v[i];
	return end;
}

static bool
knows(const struct s3_cuts *c, uint64_t seq)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] == seq)
			return true;
	return false;
}

int
s3_cuts_add(struct s3_cuts *c, uint64_t seq, struct err *err)
{
	char	 line[LINE + 1];

	if (knows(c, seq))
		return 0;
	if (c->path != NULL && (c->fd == -1 || c->lines >= FILE_LINES) && write_anew(c, err) != 0)
		return -1;
	(void)snprintf(line, sizeof(line), "%020" PRIu64 "\n", seq);
	if (c->path != NULL && (write(c->fd, line, LINE) != LINE || fdatasync(c->fd) == -1)) {
		(void)err_sys(err, "cannot write %s; free some space there, delivery then goes on by itself", c->path);
		(void)close(c->fd);
		c->fd = -1;		/* half a line may be in it */
		return -1;
	}
	c->lines++;
	note(c, seq);
	return 0;
}
