/* Files that hold secrets: read whole, refused or tightened when others can read them. */

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/url.h"
#include "supervisor/config/config_private.h"

#define SECRET_MAX	16384

static int
read_all(int fd, struct buf *out, const char *path, size_t most, struct err *err)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(out, 4096))
			return err_set(err, ERR_NOMEM, "no memory for %s", path);
		if ((n = read(fd, out->data + out->len, 4096)) == -1) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "read %s", path);
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len > most)
			return err_set(err, ERR_TOOBIG, "%s is larger than %zu bytes", path, most);
	}
}

/* Opens without waiting for the other end of a pipe; regular files only. */
static int
open_regular(const char *path, struct stat *st, struct err *err)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1) {
		bool absent = errno == ENOENT;

		(void)err_sys(err, "open %s", path);
		if (absent && err != NULL)
			err->code = ERR_NOTFOUND;
		return -1;
	}
	if (fstat(fd, st) == -1)
		(void)err_sys(err, "stat %s", path);
	else if (!S_ISREG(st->st_mode))
		(void)err_set(err, ERR_CONFIG, "%s is not a regular file", path);
	else
		return fd;
	(void)close(fd);
	return -1;
}

int
config_read_file(struct buf *out, const char *path, size_t most, struct err *err)
{
	struct stat	 st;
	int		 fd, rc;

	if ((fd = open_regular(path, &st, err)) == -1)
		return -1;
	rc = read_all(fd, out, path, most, err);
	(void)close(fd);
	return rc;
}

/*
 * systemd hands credentials over in a folder that only root and the service can
 * enter; the files in it may carry group bits that stem from an ACL.
 */
static bool
is_service_credential(const char *path, const struct stat *st)
{
	const char	*dir = getenv("CREDENTIALS_DIRECTORY");
	char		*real = realpath(path, NULL);
	bool		 inside = false;

	if (real != NULL && dir != NULL && dir[0] == '/') {
		size_t n = strlen(dir);

		inside = strncmp(real, dir, n) == 0 && real[n] == '/';
	}
	if (real != NULL && strncmp(real, "/run/credentials/", 17) == 0)
		inside = true;
	free(real);
	return inside && st->st_uid == 0 && (st->st_mode & 0007) == 0;
}

int
config_read_secret(char **url_r, const char *path, struct err *err)
{
	struct buf	 text = { 0 };
	struct stat	 st;
	struct slice	 url;
	int		 fd, rc = -1;

	if ((fd = open_regular(path, &st, err)) == -1)
		return -1;
	if ((st.st_mode & 0077) != 0 && !is_service_credential(path, &st)) {
		(void)err_set(err, ERR_CONFIG, "%s has mode %04o: a file with a secret must not be readable by others "
		    "(chmod 600 %s)", path, (unsigned)st.st_mode & 07777, path);
		goto out;
	}
	if (read_all(fd, &text, path, SECRET_MAX, err) != 0)
		goto out;
	url = slice_trim(buf_slice(&text));
	if (url.n == 0 || memchr(url.p, '\n', url.n) != NULL || memchr(url.p, '\0', url.n) != NULL)
		(void)err_set(err, ERR_CONFIG, "%s: expected one line that holds the URL", path);
	else if ((*url_r = slice_dup(url)) == NULL)
		(void)err_set(err, ERR_NOMEM, "no memory for %s", path);
	else
		rc = 0;
out:
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.cap);
	buf_free(&text);
	(void)close(fd);
	return rc;
}

/* Older servers wrote config.toml readable for everybody, with the token in it. */
void
config_tighten(const char *path)
{
	struct stat	 st;
	struct log	 lg;

	if (stat(path, &st) == -1 || (st.st_mode & 0077) == 0)
		return;
	log_make(&lg, "config", NULL);
	if (chmod(path, 0600) == 0)
		log_warn(&lg, "%s was readable by others (mode %04o): now 0600. If it may have been read, enroll again.", path,
		    (unsigned)st.st_mode & 07777);
	else
		log_warn(&lg, "%s is readable by others (mode %04o) and belongs to another user: chmod 600 %s", path,
		    (unsigned)st.st_mode & 07777, path);
}

bool
config_url_has_secret(struct slice text)
{
	struct url	 url;
	bool		 secret;

	if (url_parse(&url, text, NULL) != 0)
		return false;
	secret = url.password != NULL || (url.query != NULL && (strcasestr(url.query, "key") != NULL ||
	    strcasestr(url.query, "secret") != NULL || strcasestr(url.query, "password") != NULL)) ||
	    strcasestr(url.path, "SharedAccessKey") != NULL;
	url_free(&url);
	return secret;
}

void
config_warn_secret(const char *conf, unsigned line)
{
	struct stat	 st;
	struct log	 lg;

	if (line == 0 || stat(conf, &st) == -1 || (st.st_mode & 0007) == 0)
		return;
	log_make(&lg, "config", NULL);
	log_warn(&lg, "%s:%u: the URL holds a secret and everybody can read the file (mode %04o): use url_file, or chmod 600 %s",
	    conf, line, (unsigned)st.st_mode & 07777, conf);
}

void
config_secret_free(char **secret)
{
	if (*secret != NULL)
		OPENSSL_cleanse(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}
