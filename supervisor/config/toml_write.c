/* config.toml back to text and onto the disk, whole or not at all. */

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/toml_private.h"

static void
write_basic(struct buf *out, const char *s)
{
	static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";

	buf_addc(out, '"');
	for (; *s != '\0'; s++) {
		const char *at = strchr(from, *s);

		if (at != NULL)
			buf_printf(out, "\\%c", to[at - from]);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			buf_printf(out, "\\u%04x", (unsigned char)*s);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static bool
fits_literal(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s == '\'' || (unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static void
write_entry(struct buf *out, const struct toml_entry *e, enum toml_style style)
{
	buf_printf(out, "%s = ", e->key);
	if (e->type == TOML_BOOL)
		buf_adds(out, e->truth ? "true" : "false");
	else if (style == TOML_LITERAL && fits_literal(e->string))
		buf_printf(out, "'%s'", e->string);
	else
		write_basic(out, e->string);
	buf_addc(out, '\n');
}

static int
by_key(const void *a, const void *b)
{
	const struct toml_entry	*const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

void
toml_write(const struct toml *t, enum toml_style style, struct buf *out)
{
	const struct toml_entry	**order = calloc(t->n + 1, sizeof(*order));

	if (order == NULL) {
		out->oom = true;
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		order[i] = &t->entries[i];
	if (style == TOML_LITERAL)
		qsort(order, t->n, sizeof(*order), by_key);
	for (size_t i = 0; i < t->n; i++)
		if (order[i]->type != TOML_OTHER)
			write_entry(out, order[i], style);
	buf_adds_slice(out, buf_slice(&t->other));
	free(order);
}

static int
write_and_sync(int fd, const struct buf *text, const char *path, struct err *err)
{
	for (size_t off = 0; off < text->len; ) {
		ssize_t n = write(fd, text->data + off, text->len - off);

		if (n == -1)
			return err_sys(err, "write %s", path);
		off += (size_t)n;
	}
	if (fchmod(fd, 0600) == -1 || fsync(fd) == -1)
		return err_sys(err, "write %s", path);
	return 0;
}

/* The rename itself is on disk once its folder is. */
static int
sync_folder(const char *path, struct err *err)
{
	char	*copy = slice_dup(slice_of(path));
	int	 fd, rc = -1;

	if (copy == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a path");
	if ((fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 || fsync(fd) == -1)
		(void)err_sys(err, "write the folder of %s", path);
	else
		rc = 0;
	if (fd != -1)
		(void)close(fd);
	free(copy);
	return rc;
}

int
toml_save(const struct toml *t, enum toml_style style, const char *path, struct err *err)
{
	struct buf	 text = { 0 }, temp = { 0 };
	int		 fd = -1, rc = -1;

	toml_write(t, style, &text);
	buf_printf(&temp, "%s.XXXXXX", path);
	(void)buf_cstr(&temp);
	if (text.oom || temp.oom) {
		(void)err_set(err, ERR_NOMEM, "no memory for %s", path);
		goto out;
	}
	if ((fd = mkostemp((char *)temp.data, O_CLOEXEC)) == -1) {
		(void)err_sys(err, "create %s", (const char *)temp.data);
		goto out;
	}
	if (write_and_sync(fd, &text, path, err) != 0)
		(void)unlink((const char *)temp.data);
	else if (rename((const char *)temp.data, path) == -1) {
		(void)err_sys(err, "replace %s", path);
		(void)unlink((const char *)temp.data);
	} else
		rc = sync_folder(path, err);
out:
	if (fd != -1)
		(void)close(fd);
	buf_free(&text);
	buf_free(&temp);
	return rc;
}
