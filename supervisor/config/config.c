/*
 * The configuration as a whole: defaults, then eds.conf, then config.toml,
 * then the command line, then what only shows once everything is known.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/rules/folder.h"
#include "supervisor/config/config_private.h"
#include "supervisor/config/toml.h"
#include "supervisor/hq/token.h"

#define CONF_MAX	(1024 * 1024)
#define LOCAL_NATS	"nats://localhost:4222"

struct load {
	struct config			*c;
	const struct config_flags	*flags;
	struct config_seen		 seen;
	char				*toml_url;
};

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the configuration");
}

static int
replace(char **at, const char *value, struct err *err)
{
	char	*copy = slice_dup(slice_of(value));

	if (copy == NULL)
		return no_memory(err);
	free(*at);
	*at = copy;
	return 0;
}

static char *
join(const char *dir, const char *name)
{
	struct buf	 path = { 0 };

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

char *
config_data_dir(const char *given, struct err *err)
{
	struct buf	 path = { 0 };
	char		 cwd[4096], *text;

	if (given != NULL && given[0] == '/')
		buf_adds(&path, given);
	else {
		if (getcwd(cwd, sizeof(cwd)) == NULL) {
			(void)err_sys(err, "find the current directory");
			return NULL;
		}
		buf_printf(&path, "%s/%s", cwd, given == NULL || given[0] == '\0' ? "data" : given);
	}
	while (path.len > 1 && path.data[path.len - 1] == '/')
		path.len--;
	if ((text = buf_steal(&path)) == NULL)
		(void)no_memory(err);
	return text;
}

/* An option by name and its text, as if it stood in eds.conf; `origin` is the flag or the file. */
static int
set_option(struct load *l, const char *key, const char *text, const char *origin, struct err *err)
{
	const struct config_option	*o = config_option_find(SECTION_SERVER, slice_of(key));

	if (o == NULL)
		bug("no option %s", key);
	if (config_value_set(o, l->c, slice_of(text), err) != 0)
		return err_prefix(err, "%s", origin);
	return 0;
}

static bool
given(const struct load *l, const char *key)
{
	size_t	 n;

	return l->seen.server[config_option_find(SECTION_SERVER, slice_of(key)) - config_options(&n)] != 0;
}


/* The file of --config, else the first of the usual ones; *path_r is NULL when there is none. */
static int
read_conf(struct load *l, struct buf *text, char **path_r, struct err *err)
{
	char		*candidates[2] = { join(l->c->data_dir, "eds.conf"), slice_dup(SLICE("/etc/eds/eds.conf")) };
	struct err	 own = { 0 };
	int		 rc = 0;

	*path_r = NULL;
	if (l->flags->config_file != NULL) {
		if ((rc = config_read_file(text, l->flags->config_file, CONF_MAX, err)) == 0 &&
		    (*path_r = slice_dup(slice_of(l->flags->config_file))) == NULL)
			rc = no_memory(err);
		goto out;
	}
	for (size_t i = 0; i < NELEM(candidates) && *path_r == NULL; i++) {
		if (candidates[i] == NULL) {
			rc = no_memory(err);
			goto out;
		}
		if (config_read_file(text, candidates[i], CONF_MAX, &own) == 0) {
			*path_r = candidates[i];
			candidates[i] = NULL;
		} else if (own.code != ERR_NOTFOUND) {
			if (err != NULL)
				*err = own;
			rc = -1;
			goto out;
		}
	}
out:
	free(candidates[0]);
	free(candidates[1]);
	return rc;
}

static int
load_conf(struct load *l, struct err *err)
{
	struct buf	 text = { 0 };
	int		 rc;

	if ((rc = read_conf(l, &text, &l->c->config_file, err)) == 0 && l->c->config_file != NULL &&
	    (rc = config_parse(l->c, buf_slice(&text), l->c->config_file, &l->seen, err)) == 0)
		config_warn_secret(l->c->config_file, l->seen.secret_line);
	if (rc != 0 && err != NULL && err->code != ERR_NOMEM)
		err->code = ERR_CONFIG;
	buf_free(&text);
	return rc;
}

static int
toml_text(const struct toml *t, const char *key, char **at, struct err *err)
{
	const char	*value;

	switch (toml_string(t, key, &value)) {
	case 0:
		return 0;
	case 1:
		return value[0] == '\0' ? 0 : replace(at, value, err);
	}
	return err_set(err, ERR_INVALID, "line %u: %s must be a text in quotes", toml_line(t, key), key);
}

static int
take_toml(struct load *l, const struct toml *t, struct err *err)
{
	bool	 keep;
	int	 rc;

	if (toml_text(t, "token", &l->c->token, err) != 0 || toml_text(t, "server_id", &l->c->server_id, err) != 0 ||
	    toml_text(t, "url", &l->toml_url, err) != 0 ||
	    toml_text(t, "update_strategy", &l->c->update_strategy, err) != 0)
		return -1;
	if ((rc = toml_bool(t, "keep_logs", &keep)) == -1)
		return err_set(err, ERR_INVALID, "line %u: keep_logs must be true or false", toml_line(t, "keep_logs"));
	if (rc == 1)
		l->c->keep_logs = keep;
	if (strcmp(l->c->update_strategy, "standard") != 0 && strcmp(l->c->update_strategy, "after") != 0)
		return err_set(err, ERR_INVALID, "line %u: update_strategy must be \"standard\" or \"after\"",
		    toml_line(t, "update_strategy"));
	return 0;
}

static int
load_toml(struct load *l, struct err *err)
{
	char		*path = join(l->c->data_dir, "config.toml");
	struct toml	*t = NULL;
	int		 rc;

	if (path == NULL)
		return no_memory(err);
	config_tighten(path);
	if ((rc = toml_load(&t, path, err)) != 0 || (rc = take_toml(l, t, err)) != 0) {
		if (err != NULL && err->code != ERR_NOMEM)
			err->code = ERR_INVALID;
		(void)err_prefix(err, "error loading %s", path);
	}
	toml_free(&t);
	free(path);
	return rc;
}

/* What the environment says counts less than any file. */
static int
load_environment(struct load *l, struct err *err)
{
	const char	*port = getenv("PORT"), *key = getenv("SM_APIKEY");
	uint64_t	 v;

	if (port != NULL && slice_u64(slice_of(port), &v) && v <= 65535)
		l->c->port = (uint16_t)v;
	return key == NULL || key[0] == '\0' ? 0 : replace(&l->c->token, key, err);
}

static int
take_flag_texts(struct load *l, struct err *err)
{
	const struct {
		const char	*key, *text, *flag;
	} texts[] = {
		{ "api_url", l->flags->api_url, "--api-url" },
		{ "nats_url", l->flags->nats_url, "--server" },
		{ "consumer_suffix", l->flags->consumer_suffix, "--consumer-suffix" },
		{ "creds_file", l->flags->creds_file, "--creds" },
		{ "log_label", l->flags->log_label, "--log-label" },
		{ "schema_validator", l->flags->schema_validator, "--schema-validator" },
	};

	for (size_t i = 0; i < NELEM(texts); i++)
		if (texts[i].text != NULL && texts[i].text[0] != '\0' &&
		    set_option(l, texts[i].key, texts[i].text, texts[i].flag, err) != 0)
			return -1;
	return 0;
}

static int
take_flag_numbers(struct load *l, struct err *err)
{
	const struct {
		const char	*key;
		int64_t		 value;
		const char	*unit, *flag;
	} numbers[] = {
		{ "port", l->flags->port, "", "--port" },
		{ "max_ack_pending", l->flags->max_ack_pending, "", "--maxAckPending" },
		{ "max_pending_buffer", l->flags->max_pending_buffer, "", "--maxPendingBuffer" },
		{ "renew_interval", l->flags->renew_interval_ms, "ms", "--renew-interval" },
	};

	for (size_t i = 0; i < NELEM(numbers); i++) {
		char text[40];

		if (numbers[i].value < 0)
			continue;
		(void)snprintf(text, sizeof(text), "%lld%s", (long long)numbers[i].value, numbers[i].unit);
		if (set_option(l, numbers[i].key, text, numbers[i].flag, err) != 0)
			return -1;
	}
	return 0;
}

static int
take_flags(struct load *l, struct err *err)
{
	const struct config_flags	*f = l->flags;
	struct config			*c = l->c;
	union { const char **given; char *const *list; } ids = { .given = f->company_ids };

	if (take_flag_texts(l, err) != 0 || take_flag_numbers(l, err) != 0 ||
	    (f->api_key != NULL && f->api_key[0] != '\0' && replace(&c->token, f->api_key, err) != 0) ||
	    (f->eds_id != NULL && f->eds_id[0] != '\0' && replace(&c->server_id, f->eds_id, err) != 0))
		return -1;
	if (ids.given != NULL && ids.given[0] != NULL) {
		config_strings_free(c->company_ids);
		if ((c->company_ids = config_strings_dup(ids.list)) == NULL)
			return no_memory(err);
	}
	if (f->keep_logs != -1)
		c->keep_logs = f->keep_logs != 0;
	c->from_beginning = f->from_beginning;
	c->log_timestamps = c->log_timestamps || f->timestamps;
	if (f->verbose || f->silent)
		c->log_level = f->silent ? LOG_ERROR : LOG_TRACE;
	return 0;
}

/* The destinations that have no section of their own. */
static int
add_urls(struct load *l, struct err *err)
{
	const char	**urls = l->flags->urls;
	bool		  any = false;

	for (size_t i = 0; urls != NULL && urls[i] != NULL; i++) {
		if (urls[i][0] == '\0')
			continue;
		any = true;
		if (config_destination_from_url(l->c, urls[i], "--url", err) != 0)
			return -1;
	}
	if (any || l->toml_url == NULL)
		return 0;
	return config_destination_from_url(l->c, l->toml_url, "config.toml", err);
}

static int
finish_destinations(struct load *l, struct err *err)
{
	for (size_t i = 0; i < l->c->n_destinations; i++) {
		struct destination_config *d = &l->c->destinations[i];

		if (l->flags->min_latency_ms > 0)
			d->min_latency_ms = l->flags->min_latency_ms;
		if (l->flags->max_latency_ms > 0)
			d->max_latency_ms = l->flags->max_latency_ms;
		if (config_destination_check(d, err) != 0)
			return -1;
	}
	return 0;
}

static bool
token_is_good(const char *token)
{
	struct buf	 url = { 0 };
	bool		 good = token_api_url(slice_of(token), &url, NULL) == 0 && url.len > 0;

	buf_free(&url);
	return good;
}

/* Where HQ and NATS are, once the token is known. */
static int
find_servers(struct load *l, struct err *err)
{
	struct config	*c = l->c;
	struct buf	 url = { 0 };
	int		 rc = 0;

	/* With credentials from a file the API only serves schemas, and a token is not needed. */
	if (c->api_url == NULL && c->token != NULL && (c->creds_file == NULL || token_is_good(c->token))) {
		if ((rc = token_api_url(slice_of(c->token), &url, err)) == 0 && url.len == 0)
			rc = err_set(err, ERR_AUTH, "invalid API key. it names no API (claim iss); enroll again, or say --api-url");
		if (rc == 0)
			rc = set_option(l, "api_url", buf_cstr(&url), "the token's claim iss", err);
		buf_free(&url);
	}
	/* A developer's HQ has its NATS beside it, unless somebody says otherwise. */
	if (rc == 0 && c->api_url != NULL && strstr(c->api_url, "localhost") != NULL && l->flags->nats_url == NULL &&
	    !given(l, "nats_url"))
		rc = replace(&c->nats_url, LOCAL_NATS, err);
	if (rc == 0 && c->consumer_suffix == NULL)
		rc = replace(&c->consumer_suffix, "", err);
	return rc;
}

/* As far as that is possible: for messages, and for those who run elsewhere. */
static void
make_absolute(char **path)
{
	char	*absolute = realpath(*path, NULL);

	if (absolute == NULL)
		return;
	free(*path);
	*path = absolute;
}

/* All of it is tried here, so that a mistake in it stops nobody but whoever made it. */
static int
read_rules(struct config *c, struct err *err)
{
	struct rules	*r = NULL;
	int		 rc;

	if (c->schema_validator == NULL)
		return 0;
	if ((rc = rules_folder_read(c->schema_validator, &c->rules, err)) == 0 && (rc = rules_new(&r, slice_of(c->rules), err)) != 0)
		(void)err_prefix(err, "%s", c->schema_validator);
	rules_free(&r);
	make_absolute(&c->schema_validator);
	return rc == 0 ? 0 : err_prefix(err, "schema_validator");
}

int
config_load(struct config **c_r, const struct config_flags *flags, struct err *err)
{
	struct load	 l = { .flags = flags };
	int		 rc = -1;

	if ((l.c = calloc(1, sizeof(*l.c))) == NULL)
		return no_memory(err);
	if ((l.c->data_dir = config_data_dir(flags->data_dir, err)) == NULL ||
	    replace(&l.c->update_strategy, "standard", err) != 0 || config_defaults(SECTION_SERVER, l.c, err) != 0 ||
	    load_environment(&l, err) != 0 || load_conf(&l, err) != 0 || load_toml(&l, err) != 0 ||
	    take_flags(&l, err) != 0 || add_urls(&l, err) != 0 || finish_destinations(&l, err) != 0 ||
	    find_servers(&l, err) != 0 || read_rules(l.c, err) != 0)
		goto out;
	*c_r = l.c;
	l.c = NULL;			/* given away */
	rc = 0;
out:
	config_secret_free(&l.toml_url);
	config_free(&l.c);
	return rc;
}

void
config_free(struct config **cp)
{
	struct config			*c = *cp;
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	if (c == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if (o[i].section == SECTION_SERVER)
			config_value_free(&o[i], c);
	config_destinations_free(c);
	config_secret_free(&c->token);
	free(c->data_dir);
	free(c->config_file);
	free(c->server_id);
	free(c->update_strategy);
	free(c->rules);
	free(c);
	*cp = NULL;
}
