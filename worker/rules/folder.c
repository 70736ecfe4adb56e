/* From a folder of files to one text. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/json_out.h"
#include "ipc/base/json_scan.h"
#include "worker/rules/folder.h"

#define CONFIG	"config.json"

struct reading {
	const char	*folder;
	struct buf	 config, files;
	size_t		 n_files;
	unsigned	 depth;
	struct err	*err;
};

static int
config_sys(struct err *err, const char *folder, const char *name)
{
	return err_set(err, ERR_CONFIG, "%s%s%s: %s", folder, name[0] == '\0' ? "" : "/", name, strerror(errno));
}

/* Appends the whole file, which must be JSON. */
static int
read_file(struct reading *r, int fd, const char *name, struct buf *to)
{
	size_t		 start = to->len;
	struct json_val	 root;
	struct err	 why;
	ssize_t		 n;

	do {
		if (!buf_reserve(to, 65536))
			return err_set(r->err, ERR_NOMEM, "no memory for the rules");
		if ((n = read(fd, to->data + to->len, 65536)) > 0)
			to->len += (size_t)n;
		if (r->config.len + r->files.len > RULES_BYTES_MOST)
			return err_set(r->err, ERR_CONFIG, "%s: more than %zu bytes of rules; put nothing but %s and schemas there",
			    r->folder, RULES_BYTES_MOST, CONFIG);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1)
		return config_sys(r->err, r->folder, name);
	if (json_scan((struct slice){ (const char *)to->data + start, to->len - start }, false, &root, &why) != 0)
		return err_set(r->err, ERR_CONFIG, "%s/%s: not JSON, or not UTF-8: %s", r->folder, name, why.text);
	return 0;
}

static int
add_schema(struct reading *r, int fd, const char *name)
{
	if (!slice_is_utf8(slice_of(name)))
		return err_set(r->err, ERR_CONFIG, "%s: the name of a file in it is not UTF-8", r->folder);
	if (r->n_files++ == RULES_FILES_MOST)
		return err_set(r->err, ERR_CONFIG, "%s: more than %u files; put nothing but %s and schemas there", r->folder,
		    RULES_FILES_MOST, CONFIG);
	buf_addc(&r->files, r->files.len == 0 ? '{' : ',');
	json_out_str(&r->files, slice_of(name));
	buf_addc(&r->files, ':');
	return read_file(r, fd, name, &r->files);
}

static int	 read_folder(struct reading *, int fd, const char *name);

/* `fd` is given away. */
static int
take_entry(struct reading *r, int fd, const char *name)
{
	struct stat	 st;
	int		 rc = 0;

	if (fd == -1 || fstat(fd, &st) == -1)
		rc = config_sys(r->err, r->folder, name);
	else if (S_ISDIR(st.st_mode))
		return read_folder(r, fd, name);
	else if (S_ISREG(st.st_mode))
		rc = strcmp(name, CONFIG) == 0 ? read_file(r, fd, name, &r->config) : add_schema(r, fd, name);
	if (fd != -1)
		(void)close(fd);
	return rc;
}

static int
not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* In the order of their names, so that the same files make the same text.  `fd` is given away. */
static int
read_folder(struct reading *r, int fd, const char *name)
{
	struct dirent	**v = NULL;
	int		 n = scandirat(fd, ".", &v, not_hidden, alphasort), rc = 0;

	if (n == -1)
		rc = config_sys(r->err, r->folder, name);
	else if (r->depth == RULES_DEPTH_MOST)
		rc = err_set(r->err, ERR_CONFIG, "%s/%s: folders in folders without end", r->folder, name);
	r->depth++;
	for (int i = 0; i < n; i++) {
		struct buf path = { 0 };

		buf_printf(&path, "%s%s%s", name, name[0] == '\0' ? "" : "/", v[i]->d_name);
		if (rc == 0)
			rc = path.oom ? err_set(r->err, ERR_NOMEM, "no memory for the rules") :
			    take_entry(r, openat(fd, v[i]->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), buf_cstr(&path));
		buf_free(&path);
		free(v[i]);
	}
	r->depth--;
	free(v);
	(void)close(fd);
	return rc;
}

static int
read_all(struct reading *r, const char *folder)
{
	int	 fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return config_sys(r->err, folder, "");
	if (read_folder(r, fd, "") != 0)
		return -1;
	if (r->config.len == 0)
		return err_set(r->err, ERR_CONFIG, "%s: there is no %s in it; write one, {\"<table>\": {\"schema\": \"<file>\"}, ...}",
		    folder, CONFIG);
	return 0;
}

/* What schemas may call it. */
static void
put_folders(struct buf *b, const char *folder, const char *real)
{
	struct buf	 absolute = { 0 };
	char		 cwd[4096];

	if (folder[0] != '/' && getcwd(cwd, sizeof(cwd)) != NULL)
		buf_printf(&absolute, "%s/", cwd);
	buf_adds(&absolute, folder);
	while (absolute.len > 1 && absolute.data[absolute.len - 1] == '/')
		absolute.len--;
	buf_addc(b, '[');
	if (slice_is_utf8(buf_slice(&absolute))) {
		json_out_str(b, buf_slice(&absolute));
		buf_addc(b, ',');
	}
	json_out_str(b, slice_of(real));
	buf_addc(b, ']');
	b->oom |= absolute.oom;
	buf_free(&absolute);
}

int
rules_folder_read(const char *folder, char **text_r, struct err *err)
{
	struct reading	 r = { .folder = folder, .err = err };
	struct buf	 text = { 0 };
	char		*real = realpath(folder, NULL);
	int		 rc = real == NULL ? config_sys(err, folder, "") : read_all(&r, folder);

	if (rc == 0) {
		buf_adds(&text, "{\"folders\":");
		put_folders(&text, folder, real);
		buf_adds(&text, ",\"config\":");
		buf_adds_slice(&text, buf_slice(&r.config));
		buf_adds(&text, ",\"files\":");
		buf_adds_slice(&text, r.files.len == 0 ? SLICE("{") : buf_slice(&r.files));
		buf_adds(&text, "}}");
		if (r.config.oom || r.files.oom || (*text_r = buf_steal(&text)) == NULL)
			rc = err_set(err, ERR_NOMEM, "no memory for the rules");
	}
	buf_free(&text);
	buf_free(&r.config);
	buf_free(&r.files);
	free(real);
	return rc;
}
