/*
 * Any bytes as a URL and as an argument.  Parsing and masking must agree on what a URL is, a mask must hide
 * at least half of a text, and an escaped path must come back as it was.
 */

#include <stdlib.h>

#include "ipc/base/url.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
path_comes_back(const char *path)
{
	struct buf	 b = { 0 };
	struct url	 u;
	struct err	 err = { .code = ERR_NONE };

	buf_adds(&b, "x:///");
	url_escape_segment(&b, slice_of(path));
	must(url_parse(&u, buf_slice(&b), &err) == 0, err.text);
	must(u.path[0] == '/' && strcmp(u.path + 1, path) == 0, "escaped path is another one");
	url_free(&u);
	buf_free(&b);
}

static void
look_at(const struct url *u)
{
	char	*value;

	must(u->scheme[0] != '\0', "no scheme");
	must(strspn(u->port, "0123456789") == strlen(u->port), "port of other than digits");
	must(u->user != NULL || u->password == NULL, "password without a user");
	path_comes_back(u->path);
	value = url_query_get(u, "a");
	must(value == NULL || u->query != NULL, "value without a query");
	free(value);
}

static void
mask_everything(struct slice text, bool is_url)
{
	struct buf	 b = { 0 }, log = { 0 };
	struct err	 err = { .code = ERR_NONE };

	must((mask_url(&b, text, &err) == 0) == is_url, "parsing and masking disagree");
	must(is_url || (b.len == 0 && err.code == ERR_INVALID && err.text[0] != '\0'), "refused without saying why");
	mask_url_for_log(&log, text);
	must(!is_url || slice_eq(buf_slice(&b), buf_slice(&log)), "the log shows another mask");
	must(is_url || (log.len >= 3 && memcmp(log.data + log.len - 3, "***", 3) == 0), "no stars for the log");
	buf_reset(&b);
	mask_text(&b, text);
	must(b.len == text.n && (text.n == 0 || b.data[text.n / 2] == '*'), "mask of another length");
	mask_email(&b, text);
	mask_argument(&b, text);
	buf_free(&b);
	buf_free(&log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { len == 0 ? "" : (const char *)data, len };
	struct url	 u;
	bool		 is_url = url_parse(&u, text, NULL) == 0;

	if (is_url) {
		look_at(&u);
		url_free(&u);
	}
	mask_everything(text, is_url);
	return 0;
}
