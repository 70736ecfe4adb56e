/* A body of many lines. */

#include <stdlib.h>
#include <zlib.h>

#include "drivers/s3/s3_lines.h"

#define GZIP_WINDOW	(15 + 16)
#define LEVEL		4	/* rows shrink to a tenth; more effort gains little */
#define ROOM		((size_t)64 << 10)

struct s3_lines {
	bool		 gzip;
	bool		 failed;
	struct buf	*out;
	z_stream	 z;
};

struct s3_lines *
s3_lines_new(bool gzip, struct buf *out)
{
	struct s3_lines	*l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->gzip = gzip;
	l->out = out;
	buf_reset(out);
	if (gzip && deflateInit2(&l->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(l);
		return NULL;
	}
	return l;
}

static bool
deflate_all(struct s3_lines *l, struct slice text, int flush)
{
	union { const char *text; Bytef *in; } u = { .text = text.p };	/* zlib does not write there */
	int	 rc;

	l->z.next_in = u.in;
	l->z.avail_in = (uInt)text.n;
	do {
		if (!buf_reserve(l->out, ROOM))
			return false;
		l->z.next_out = l->out->data + l->out->len;
		l->z.avail_out = (uInt)ROOM;
		rc = deflate(&l->z, flush);
		l->out->len += ROOM - l->z.avail_out;
	} while (rc == Z_OK && (l->z.avail_in > 0 || l->z.avail_out == 0 || flush == Z_FINISH));
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

bool
s3_lines_add(struct s3_lines *l, struct slice text)
{
	if (l->gzip)
		l->failed |= !deflate_all(l, text, Z_NO_FLUSH);
	else
		buf_adds_slice(l->out, text);
	return !l->failed && !l->out->oom;
}

bool
s3_lines_end(struct s3_lines **lp)
{
	struct s3_lines	*l = *lp;
	bool		 ok;

	if (l->gzip) {
		l->failed |= !deflate_all(l, SLICE(""), Z_FINISH);
		(void)deflateEnd(&l->z);
	}
	ok = !l->failed && !l->out->oom;
	free(l);
	*lp = NULL;
	return ok;
}
