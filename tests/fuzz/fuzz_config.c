/*
 * Any bytes as eds.conf and as config.toml.  What is refused has a reason; what is
 * accepted as TOML reads the same after it was written.
 */

#include <stdlib.h>

#include "supervisor/config/config_private.h"
#include "supervisor/config/toml.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
as_conf(struct slice text)
{
	struct config		*c = calloc(1, sizeof(*c));
	struct config_seen	 seen = { .secret_line = 0 };
	struct err		 err = { .code = ERR_NONE };

	must(c != NULL && config_defaults(SECTION_SERVER, c, &err) == 0, "no defaults");
	if (config_parse(c, text, "/nonexistent/eds.conf", &seen, &err) != 0)
		must(strncmp(err.text, "/nonexistent/eds.conf:", 22) == 0, "refused without file and line");
	else
		for (size_t i = 0; i < c->n_destinations; i++)
			must(c->destinations[i].url != NULL && c->destinations[i].name[0] != '\0', "half a destination");
	config_free(&c);
}

static void
same_string(const struct toml *a, const struct toml *b, const char *key)
{
	const char	*x = NULL, *y = NULL;

	/* A value of a type that is not ours is dropped by the writer. */
	if (toml_string(a, key, &x) == 1)
		must(toml_string(b, key, &y) == 1 && strcmp(x, y) == 0, "a string changed on its way");
}

static void
as_toml(struct slice text, enum toml_style style)
{
	struct toml	*t = NULL, *again = NULL;
	struct buf	 out = { 0 };
	struct err	 err = { .code = ERR_NONE };

	if (toml_parse(&t, text, &err) != 0) {
		must(err.code == ERR_INVALID && strncmp(err.text, "line ", 5) == 0, "refused without a line");
		return;
	}
	toml_write(t, style, &out);
	must(toml_parse(&again, buf_slice(&out), &err) == 0, err.text);
	same_string(t, again, "token");
	same_string(t, again, "url");
	same_string(t, again, "server_id");
	toml_free(&t);
	toml_free(&again);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { len == 0 ? "" : (const char *)data, len };

	as_conf(text);
	as_toml(text, TOML_BASIC);
	as_toml(text, TOML_LITERAL);
	return 0;
}
