/*
 * The text of eds.conf.  libinih splits lines into key and value; sections and line
 * numbers are our reader's, because libinih neither reports an empty section
 * nor tells its handler where it is.
 */

#include <ini.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/config/config_private.h"

#define LINE_MAX_BYTES	16000

struct parse {
	struct config			*config;
	struct config_seen		*seen;
	const char			*file;
	struct slice			 rest;		/* text not read yet */
	unsigned			 line;
	bool				 in_section;
	enum option_section		 section;
	bool				 server_seen;
	size_t				 destination;	/* index of the open [destination] */
	unsigned			 section_line;
	unsigned			 key_line[CONFIG_OPTIONS_MAX];	/* of the open section */
	struct err			*err;
	bool				 failed;	/* *err is set; the rest is skipped */
};

static int
fail(struct parse *p)
{
	p->failed = true;
	return err_prefix(p->err, "%s:%u", p->file, p->line);
}

/* A destination must say where to before the next section begins. */
static void
end_section(struct parse *p)
{
	const struct destination_config *d;

	if (p->failed || !p->in_section || p->section != SECTION_DESTINATION)
		return;
	d = &p->config->destinations[p->destination];
	if (d->url == NULL || d->url[0] == '\0') {
		p->failed = true;
		(void)err_set(p->err, ERR_CONFIG, "%s:%u: destination \"%s\" needs url or url_file", p->file,
		    p->section_line, d->name);
	}
}

static void
begin_destination(struct parse *p, struct slice name)
{
	char	 origin[300];

	(void)snprintf(origin, sizeof(origin), "%s:%u", p->file, p->line);
	if (config_destination_add(p->config, name, origin, p->err) == NULL)
		(void)fail(p);
	else
		p->destination = p->config->n_destinations - 1;
}

static void
begin_section(struct parse *p, struct slice title)
{
	struct slice	 rest = title, word;

	end_section(p);
	if (p->failed)
		return;
	(void)slice_cut(&rest, ' ', &word);
	(void)memset(p->key_line, 0, sizeof(p->key_line));
	p->in_section = true;
	p->section_line = p->line;
	if (slice_is(title, "server")) {
		p->section = SECTION_SERVER;
		if (p->server_seen) {
			(void)err_set(p->err, ERR_CONFIG, "a second [server] section: put both into one");
			(void)fail(p);
		}
		p->server_seen = true;
	} else if (slice_is(word, "destination")) {
		p->section = SECTION_DESTINATION;
		begin_destination(p, slice_trim(rest));
	} else {
		(void)err_set(p->err, ERR_CONFIG, "unknown section [" SLICE_FMT "], expected [server] or [destination NAME]%s",
		    SLICE_ARG(title), config_distance(word, SLICE("destination")) < 4 ? " (did you mean destination?)" :
		    config_distance(word, SLICE("server")) < 3 ? " (did you mean server?)" : "");
		(void)fail(p);
	}
}

/* libinih asks for a line: the next one without its indentation, which would make it a continuation. */
static char *
read_line(char *out, int size, void *arg)
{
	struct parse	*p = arg;
	struct slice	 line;

	/* After a failure nothing more is handed out, so that the first error is the one reported. */
	if (p->failed || p->rest.p == NULL || p->rest.n == 0 || !slice_cut(&p->rest, '\n', &line))
		return NULL;
	p->line++;
	if (p->line == 1 && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0) {
		line.p += 3;
		line.n -= 3;
	}
	line = slice_trim(line);
	if (line.n > LINE_MAX_BYTES || line.n + 2 > (size_t)size || (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)) {
		(void)err_set(p->err, ERR_CONFIG, "expected a line of text, at most %d characters", LINE_MAX_BYTES);
		(void)fail(p);
		return NULL;
	}
	if (line.n > 0 && line.p[0] == '[') {
		const char *end = memchr(line.p, ']', line.n);
		struct slice after;

		if (end != NULL)
			begin_section(p, slice_trim((struct slice){ line.p + 1, (size_t)(end - line.p) - 1 }));
		after = end == NULL ? line : slice_trim((struct slice){ end + 1, (size_t)(line.p + line.n - end) - 1 });
		if (after.n > 0 && after.p[0] != ';' && after.p[0] != '#' && !p->failed) {
			(void)err_set(p->err, ERR_CONFIG, "expected [server] or [destination NAME] alone on the line");
			(void)fail(p);
		}
		if (p->failed)
			return NULL;
		line.n = 0;		/* ours alone: libinih cuts long titles */
	}
	if (line.n > 0)
		(void)memcpy(out, line.p, line.n);
	out[line.n] = '\n';
	out[line.n + 1] = '\0';
	return out;
}

static int
unknown_key(struct parse *p, const char *key)
{
	const struct config_option *near = config_option_nearest(p->section, slice_of(key));
	const char *where = p->section == SECTION_SERVER ? "[server]" : "[destination]";
	enum option_section other = p->section == SECTION_SERVER ? SECTION_DESTINATION : SECTION_SERVER;

	if (config_option_find(other, slice_of(key)) != NULL)
		(void)err_set(p->err, ERR_CONFIG, "\"%.60s\" belongs into %s, not into %s", key,
		    other == SECTION_SERVER ? "[server]" : "a [destination NAME] section", where);
	else if (near != NULL)
		(void)err_set(p->err, ERR_CONFIG, "%s has no option \"%.60s\" (did you mean %s?)", where, key, near->key);
	else
		(void)err_set(p->err, ERR_CONFIG, "%s has no option \"%.60s\"; eds.conf(5) lists them", where, key);
	return fail(p);
}

/* Paths start from the folder of the file that names them. */
static int
resolve_path(struct parse *p, const struct config_option *o, void *base, struct slice value)
{
	struct buf	 path = { 0 };
	char		*copy = NULL, *text = NULL;
	int		 rc = -1;

	if (value.n == 0)
		return err_set(p->err, ERR_CONFIG, "found nothing, expected the path of a file");
	if (value.p[0] != '/') {
		if ((copy = slice_dup(slice_of(p->file))) == NULL)
			goto out;
		buf_printf(&path, "%s/", dirname(copy));
	}
	buf_adds_slice(&path, value);
	if ((text = buf_steal(&path)) == NULL)
		goto out;
	if (o->type == OPT_URL_FILE) {
		struct destination_config *d = base;
		char *url;

		if (config_read_secret(&url, text, p->err) == 0) {
			free(d->url);
			d->url = url;
			rc = 0;
		}
	} else
		rc = config_value_set(o, base, slice_of(text), p->err);
out:
	if (text == NULL)
		(void)err_set(p->err, ERR_NOMEM, "no memory for a path");
	free(copy);
	free(text);
	return rc;
}

/* The same key twice, or the two ways of giving a URL, in one section. */
static int
check_repeated(struct parse *p, const struct config_option *o)
{
	size_t				 n;
	const struct config_option	*all = config_options(&n);

	if (p->key_line[o - all] != 0)
		return err_set(p->err, ERR_CONFIG, "%s is given twice, first in line %u", o->key, p->key_line[o - all]);
	for (size_t i = 0; i < n; i++)
		if (all[i].section == o->section && all[i].offset == o->offset && p->key_line[i] != 0)
			return err_set(p->err, ERR_CONFIG, "give either %s or %s, not both", all[i].key, o->key);
	p->key_line[o - all] = p->line;
	if (o->section == SECTION_SERVER)
		p->seen->server[o - all] = p->line;
	return 0;
}

static int
take(void *arg, const char *section, const char *key, const char *value)
{
	struct parse			*p = arg;
	const struct config_option	*o;
	void				*base = p->config;
	struct slice			 text = slice_of(value);
	int				 rc;

	(void)section;
	if (p->failed)
		return 0;
	if (!p->in_section) {
		(void)err_set(p->err, ERR_CONFIG, "\"%.60s\" stands before the first section: start with [server] or [destination NAME]",
		    key);
		(void)fail(p);
		return 0;
	}
	if ((o = config_option_find(p->section, slice_of(key))) == NULL) {
		(void)unknown_key(p, key);
		return 0;
	}
	if (p->section == SECTION_DESTINATION)
		base = &p->config->destinations[p->destination];
	if (check_repeated(p, o) != 0) {
		(void)fail(p);
		return 0;
	}
	if (o->type == OPT_PATH || o->type == OPT_URL_FILE)
		rc = resolve_path(p, o, base, text);
	else
		rc = config_value_set(o, base, text, p->err);
	if (o->type == OPT_SECRET_URL && p->seen->secret_line == 0 && config_url_has_secret(text))
		p->seen->secret_line = p->line;
	if (rc != 0) {
		(void)err_prefix(p->err, "%s", o->key);
		(void)fail(p);
	}
	return rc == 0;
}

int
config_parse(struct config *config, struct slice text, const char *file, struct config_seen *seen, struct err *err)
{
	struct err	 own = { 0 };
	struct parse	 p = { .config = config, .seen = seen, .file = file, .rest = text, .err = &own };
	int		 line;

	ini_use_stack = false;			/* Debian's library reads 200 bytes of a line otherwise */
	ini_initial_alloc = ini_max_line = LINE_MAX_BYTES + 3;
	ini_allow_multiline = false;
	ini_stop_on_first_error = true;
	line = ini_parse_stream(read_line, &p, take, &p);
	end_section(&p);
	if (line == -2)
		return err_set(err, ERR_NOMEM, "no memory for %s", file);
	if (line != 0 && !p.failed) {
		p.line = (unsigned)line;
		/* The line itself is not shown: it may be a URL without its key. */
		(void)err_set(&own, ERR_CONFIG, "expected \"key = value\", a section in brackets or a comment");
		(void)fail(&p);
	}
	if (p.failed && err != NULL)
		*err = own;
	return p.failed ? -1 : 0;
}
