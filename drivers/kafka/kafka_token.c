/* Tokens for OAUTHBEARER.  The library asks for a new one before the old one ends; the file is read anew each time. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/kafka/kafka_token.h"
#include "ipc/base/json_scan.h"

#define TOKEN_MOST	65536

int
kafka_token_expiry(struct slice token, int64_t *expires_ms_r, struct err *err)
{
	struct slice	 header, body;
	struct buf	 text = { 0 };
	struct json_val	 root, exp;
	int64_t		 seconds;
	int		 rc = -1;

	if (!slice_cut(&token, '.', &header) || !slice_cut(&token, '.', &body) || !buf_unbase64url(&text, body) ||
	    json_scan(buf_slice(&text), false, &root, NULL) == -1 || root.type != JV_OBJECT)
		(void)err_set(err, ERR_INVALID, "it is not a JSON web token");
	else if ((exp = json_member(&root, "exp")).type != JV_NUMBER || !slice_i64(exp.raw, &seconds) ||
	    seconds > INT64_MAX / 1000 || seconds < 0)
		(void)err_set(err, ERR_INVALID, "it does not say when it ends (exp)");
	else {
		*expires_ms_r = seconds * 1000;
		rc = 0;
	}
	buf_free(&text);
	return rc;
}

static int
read_file(struct buf *b, const char *path, struct err *err)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t	 n;

	if (fd == -1)
		return err_sys(err, "open %s", path);
	while (b->len < TOKEN_MOST && buf_reserve(b, 4096) && (n = read(fd, b->data + b->len, 4096)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			(void)err_sys(err, "read %s", path);
			(void)close(fd);
			return -1;
		}
		b->len += (size_t)n;
	}
	(void)close(fd);
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for %s", path) : 0;
}

int
kafka_token_read(const char *path, char **token_r, int64_t *expires_ms_r, struct err *err)
{
	struct buf	 text = { 0 };
	struct slice	 token;
	int		 rc = -1;

	if (read_file(&text, path, err) == -1)
		goto out;
	token = slice_trim(buf_slice(&text));
	if (kafka_token_expiry(token, expires_ms_r, err) == -1)
		(void)err_prefix(err, "the token in %s", path);
	else if ((*token_r = slice_dup(token)) == NULL)
		(void)err_set(err, ERR_NOMEM, "no memory for %s", path);
	else
		rc = 0;
out:
	buf_free_wiped(&text);
	return rc;
}
