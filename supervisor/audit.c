/* The audit: a file that only grows, until it is put aside as a whole. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "ipc/base/json_out.h"
#include "supervisor/audit.h"

#define LINE_TEXT_MAX	2000	/* bytes of one text */

struct audit {
	char	*path;
	int	 fd;
	off_t	 size;
};

static int
open_file(struct audit *a, struct err *err)
{
	struct stat	 st;

	if ((a->fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) == -1 || fstat(a->fd, &st) == -1)
		return err_sys(err, "cannot write the audit %s", a->path);
	a->size = st.st_size;
	return 0;
}

int
audit_open(struct audit **a_r, const char *data_dir, struct err *err)
{
	struct audit	*a = calloc(1, sizeof(*a));
	struct buf	 path = { 0 };
	int		 rc;

	if (a == NULL)
		return err_set(err, ERR_NOMEM, "audit");
	a->fd = -1;
	buf_printf(&path, "%s/audit.log", data_dir);
	if ((a->path = buf_steal(&path)) == NULL)
		rc = err_set(err, ERR_NOMEM, "audit");
	else
		rc = open_file(a, err);
	if (rc == -1)
		audit_close(&a);
	*a_r = a;
	return rc;
}

void
audit_close(struct audit **ap)
{
	struct audit	*a = *ap;

	if (a == NULL)
		return;
	if (a->fd != -1)
		(void)close(a->fd);
	free(a->path);
	free(a);
	*ap = NULL;
}

static int
rotate(struct audit *a, struct err *err)
{
	struct buf	 old = { 0 };
	int		 rc = 0;

	buf_printf(&old, "%s.1", a->path);
	if (old.oom || rename(a->path, buf_cstr(&old)) == -1)
		rc = err_sys(err, "cannot put the audit %s aside", a->path);
	buf_free(&old);
	if (rc == -1)
		return -1;
	(void)close(a->fd);
	return open_file(a, err);
}

static void
put(struct buf *line, const char *key, const char *text)
{
	struct slice	 s = slice_of(text);

	if (s.n > LINE_TEXT_MAX)
		s.n = LINE_TEXT_MAX;
	buf_printf(line, ",\"%s\":", key);
	json_out_str(line, s);
}

int
audit_add(struct audit *a, const struct audit_entry *e, struct err *err)
{
	struct buf	 line = { 0 };
	int		 rc = 0;

	if (a->size >= (off_t)AUDIT_ROTATE_BYTES && rotate(a, err) == -1)
		return -1;
	buf_printf(&line, "{\"at\":%lld", (long long)wall_ms());
	put(&line, "from", e->from);
	put(&line, "who", e->who);
	put(&line, "command", e->command);
	put(&line, "details", e->details);
	put(&line, "outcome", e->outcome);
	buf_adds(&line, "}\n");
	if (line.oom)
		rc = err_set(err, ERR_NOMEM, "audit");
	else if (write(a->fd, line.data, line.len) != (ssize_t)line.len || fdatasync(a->fd) == -1)
		rc = err_sys(err, "cannot write the audit %s", a->path);
	else
		a->size += (off_t)line.len;
	buf_free(&line);
	return rc;
}

/* The last part of the file that holds `n` lines at most, beginning with a whole one. */
static int
read_tail(struct audit *a, size_t n, struct buf *text, struct err *err)
{
	const off_t	 most = (off_t)n * 5 * LINE_TEXT_MAX;
	off_t		 from = a->size > most ? a->size - most : 0;
	size_t		 want = (size_t)(a->size - from), lines = 0, at;
	ssize_t		 got;
	int		 fd;

	if ((fd = open(a->path, O_RDONLY | O_CLOEXEC)) == -1)
		return err_sys(err, "cannot read the audit %s", a->path);
	if (!buf_reserve(text, want + 1)) {
		(void)close(fd);
		return err_set(err, ERR_NOMEM, "audit");
	}
	if ((got = pread(fd, text->data, want, from)) == -1) {
		(void)close(fd);
		return err_sys(err, "cannot read the audit %s", a->path);
	}
	(void)close(fd);
	text->len = (size_t)got;
	for (at = text->len; at > 0; at--)
		if (text->data[at - 1] == '\n' && lines++ == n)
			break;
	buf_consume(text, at);
	return 0;
}

int
audit_tail(struct audit *a, size_t n, struct buf *json, struct err *err)
{
	struct buf	 text = { 0 };
	struct slice	 rest, line;
	const char	*comma = "";
	int		 rc = read_tail(a, n, &text, err);

	buf_addc(json, '[');
	rest = buf_slice(&text);
	/* A line that a power cut has left unfinished is passed over. */
	while (rc == 0 && rest.n > 0 && slice_cut(&rest, '\n', &line)) {
		if (line.n < 2 || line.p[0] != '{' || line.p[line.n - 1] != '}')
			continue;
		buf_adds(json, comma);
		buf_adds_slice(json, line);
		comma = ",";
	}
	buf_addc(json, ']');
	buf_free(&text);
	return rc;
}
