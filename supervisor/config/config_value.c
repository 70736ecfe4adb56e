/*
 * One value of eds.conf: from text, compared, freed, by the option's type.  A
 * wrong one is answered with what was found and what was expected; URLs are never
 * quoted, they may hold a password.
 */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ipc/base/clock.h"
#include "supervisor/config/config_private.h"
#include "supervisor/hq/actions.h"

static int
expected(struct err *err, struct slice found, const char *what)
{
	if (found.n > 60)
		return err_set(err, ERR_CONFIG, "found %zu characters, expected %s", found.n, what);
	return err_set(err, ERR_CONFIG, "found \"" SLICE_FMT "\", expected %s", SLICE_ARG(found), what);
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the configuration");
}

/* "64M" for people. */
static void
size_text(char out[32], int64_t v)
{
	static const char units[] = { 0, 'K', 'M', 'G' };
	size_t	 u = 0;

	while (u + 1 < NELEM(units) && v != 0 && v % 1024 == 0) {
		v /= 1024;
		u++;
	}
	(void)snprintf(out, 32, u == 0 ? "%lld" : "%lld%c", (long long)v, units[u]);
}

static bool
size_parse(struct slice s, uint64_t *v_r)
{
	unsigned	 shift = 0;

	if (s.n > 0) {
		switch (s.p[s.n - 1]) {
		case 'k': case 'K': shift = 10; break;
		case 'm': case 'M': shift = 20; break;
		case 'g': case 'G': shift = 30; break;
		}
	}
	if (shift != 0)
		s.n--;
	if (!slice_u64(s, v_r) || *v_r > (uint64_t)INT64_MAX >> shift)
		return false;
	*v_r <<= shift;
	return true;
}

static int
set_number(const struct config_option *o, uint64_t *at, struct slice value, struct err *err)
{
	char		 least[32], most[32], what[128];
	uint64_t	 v;
	bool		 size = o->type == OPT_SIZE;

	if ((size ? size_parse(value, &v) : slice_u64(value, &v)) && v >= (uint64_t)o->least && v <= (uint64_t)o->most) {
		*at = v;
		return 0;
	}
	if (size) {
		size_text(least, o->least);
		size_text(most, o->most);
	} else {
		(void)snprintf(least, sizeof(least), "%lld", (long long)o->least);
		(void)snprintf(most, sizeof(most), "%lld", (long long)o->most);
	}
	(void)snprintf(what, sizeof(what), "a %s from %s to %s", size ? "size such as 64M," : "number", least, most);
	return expected(err, value, what);
}

static int
set_duration(const struct config_option *o, int64_t *at, struct slice value, struct err *err)
{
	struct buf	 what = { 0 };
	int64_t		 v;
	int		 rc = 0;

	if (duration_parse(value, &v) && v >= o->least && v <= o->most) {
		*at = v;
		return 0;
	}
	buf_adds(&what, "a duration such as 1m30s, from ");
	buf_duration(&what, o->least);
	buf_adds(&what, " to ");
	buf_duration(&what, o->most);
	rc = expected(err, value, buf_cstr(&what));
	buf_free(&what);
	return rc;
}

static int
set_bool(bool *at, struct slice value, struct err *err)
{
	static const struct {
		const char	*word;
		bool		 is;
	} words[] = { { "yes", true }, { "no", false }, { "true", true }, { "false", false }, { "on", true },
	    { "off", false }, { "1", true }, { "0", false } };

	for (size_t i = 0; i < NELEM(words); i++) {
		if (value.n == strlen(words[i].word) && strncasecmp(value.p, words[i].word, value.n) == 0) {
			*at = words[i].is;
			return 0;
		}
	}
	return expected(err, value, "yes or no");
}

static int
set_string(char **at, struct slice value, struct err *err)
{
	char	*copy = slice_dup(value);

	if (copy == NULL)
		return no_memory(err);
	free(*at);
	*at = copy;
	return 0;
}

static bool
is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", s.p[i], 64) == NULL)
			return false;
	return true;
}

static int
set_list(char ***at, struct slice value, struct err *err)
{
	struct slice	  rest = value, part;
	char		**list;
	size_t		  n = 0, room = 2;

	for (size_t i = 0; i < value.n; i++)
		room += value.p[i] == ',';
	if ((list = calloc(room, sizeof(*list))) == NULL)
		return no_memory(err);
	while (slice_cut(&rest, ',', &part)) {
		part = slice_trim(part);
		if (part.n == 0) {
			config_strings_free(list);
			return expected(err, value, "words separated by commas, none of them empty");
		}
		if ((list[n++] = slice_dup(part)) == NULL) {
			config_strings_free(list);
			return no_memory(err);
		}
	}
	config_strings_free(*at);
	*at = list;
	return 0;
}

/* NATS servers: blanks and one trailing slash of each are dropped. */
static int
set_servers(char **at, struct slice value, struct err *err)
{
	struct slice	 rest = value, part;
	struct buf	 out = { 0 };
	char		*text;

	while (slice_cut(&rest, ',', &part)) {
		part = slice_trim(part);
		if (part.n > 0 && part.p[part.n - 1] == '/')
			part.n--;
		if (part.n == 0 || part.p[part.n - 1] == '/' || memchr(part.p, ' ', part.n) != NULL) {
			buf_free(&out);
			return err_set(err, ERR_CONFIG, "expected NATS servers such as nats://host:4222, separated by commas");
		}
		if (out.len > 0)
			buf_addc(&out, ',');
		buf_adds_slice(&out, part);
	}
	if ((text = buf_steal(&out)) == NULL)
		return no_memory(err);
	free(*at);
	*at = text;
	return 0;
}

static int
set_url(char **at, struct slice value, struct err *err)
{
	bool	 http = (value.n > 7 && strncasecmp(value.p, "http://", 7) == 0) ||
	    (value.n > 8 && strncasecmp(value.p, "https://", 8) == 0);

	if (value.n > 0 && !http)
		return err_set(err, ERR_CONFIG, "expected an address that starts with https:// or http://");
	if (value.n > 0 && value.p[value.n - 1] == '/')
		value.n--;
	return set_string(at, value, err);
}

static int
set_operations(unsigned *at, struct slice value, struct err *err)
{
	static const struct {
		const char	*word;
		unsigned	 bit;
	} words[] = { { "insert", ROUTE_INSERT }, { "update", ROUTE_UPDATE }, { "delete", ROUTE_DELETE } };
	struct slice	 rest = value, part;
	unsigned	 bits = 0;

	while (slice_cut(&rest, ',', &part)) {
		size_t i;

		part = slice_trim(part);
		for (i = 0; i < NELEM(words); i++)
			if (part.n == strlen(words[i].word) && strncasecmp(part.p, words[i].word, part.n) == 0)
				break;
		if (i == NELEM(words))
			return expected(err, value, "insert, update, delete or some of them, separated by commas");
		bits |= words[i].bit;
	}
	*at = bits;
	return 0;
}

static int
set_actions(unsigned *at, struct slice value, struct err *err)
{
	struct slice	 rest = value, part;
	unsigned	 bits = 0;
	enum hq_action	 a;

	if (slice_is(value, "all") || slice_is(value, "none")) {
		*at = slice_is(value, "all") ? HQ_ACTION_BIT(HQ_ACTIONS) - 1 : 0;
		return 0;
	}
	while (slice_cut(&rest, ',', &part)) {
		if (!hq_action_find(slice_trim(part), &a))
			return expected(err, value, "all, none, or actions of HQ such as pause, unpause, configure, separated by commas");
		bits |= HQ_ACTION_BIT(a);
	}
	*at = bits;
	return 0;
}

static int
set_on_reject(enum on_reject *at, struct slice value, struct err *err)
{
	if (slice_is(value, "quarantine"))
		*at = ON_REJECT_QUARANTINE;
	else if (slice_is(value, "stop"))
		*at = ON_REJECT_STOP;
	else
		return expected(err, value, "quarantine or stop");
	return 0;
}

static int
set_port(uint16_t *at, struct slice value, struct err *err)
{
	uint64_t	 v;

	if (!slice_u64(value, &v) || v > 65535)
		return expected(err, value, "a port from 0 to 65535");
	*at = (uint16_t)v;
	return 0;
}

int
config_value_set(const struct config_option *o, void *base, struct slice value, struct err *err)
{
	void	*at = (char *)base + o->offset;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_SIZE:
		return set_number(o, at, value, err);
	case OPT_DURATION:
		return set_duration(o, at, value, err);
	case OPT_BOOL:
		return set_bool(at, value, err);
	case OPT_PORT:
		return set_port(at, value, err);
	case OPT_LEVEL:
		if (!log_level_parse(value, at))
			return expected(err, value, "trace, debug, info, warn or error");
		return 0;
	case OPT_OPERATIONS:
		return set_operations(at, value, err);
	case OPT_ACTIONS:
		return set_actions(at, value, err);
	case OPT_ON_REJECT:
		return set_on_reject(at, value, err);
	case OPT_LIST:
		return set_list(at, value, err);
	case OPT_SERVERS:
		return set_servers(at, value, err);
	case OPT_URL:
		return set_url(at, value, err);
	case OPT_NAME:
		if (!is_name(value) || value.n > (size_t)o->most)
			return expected(err, value, "at most 32 of the characters A-Z a-z 0-9 _ -");
		return set_string(at, value, err);
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_ADDRESS:
	case OPT_SECRET_URL:
	case OPT_URL_FILE:
		return set_string(at, value, err);
	}
	bug("option %s has no type", o->key);
}

/* An absent text and an empty one mean the same. */
static bool
same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool
same_list(char *const *a, char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

bool
config_value_same(const struct config_option *o, const void *base_a, const void *base_b)
{
	const void	*a = (const char *)base_a + o->offset, *b = (const char *)base_b + o->offset;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_SIZE:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case OPT_DURATION:
		return *(const int64_t *)a == *(const int64_t *)b;
	case OPT_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case OPT_PORT:
		return *(const uint16_t *)a == *(const uint16_t *)b;
	case OPT_LEVEL:
		return *(const enum log_level *)a == *(const enum log_level *)b;
	case OPT_OPERATIONS:
	case OPT_ACTIONS:
		return *(const unsigned *)a == *(const unsigned *)b;
	case OPT_ON_REJECT:
		return *(const enum on_reject *)a == *(const enum on_reject *)b;
	case OPT_LIST:
		return same_list(*(char *const *const *)a, *(char *const *const *)b);
	case OPT_SERVERS:
	case OPT_URL:
	case OPT_NAME:
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_ADDRESS:
	case OPT_SECRET_URL:
	case OPT_URL_FILE:
		return same_text(*(char *const *)a, *(char *const *)b);
	}
	bug("option %s has no type", o->key);
}

static size_t
value_size(const struct config_option *o)
{
	switch (o->type) {
	case OPT_COUNT:
	case OPT_SIZE:
		return sizeof(uint64_t);
	case OPT_DURATION:
		return sizeof(int64_t);
	case OPT_BOOL:
		return sizeof(bool);
	case OPT_PORT:
		return sizeof(uint16_t);
	case OPT_LEVEL:
		return sizeof(enum log_level);
	case OPT_OPERATIONS:
	case OPT_ACTIONS:
		return sizeof(unsigned);
	case OPT_ON_REJECT:
		return sizeof(enum on_reject);
	case OPT_LIST:
		return sizeof(char **);
	case OPT_SERVERS:
	case OPT_URL:
	case OPT_NAME:
	case OPT_TEXT:
	case OPT_PATH:
	case OPT_ADDRESS:
	case OPT_SECRET_URL:
	case OPT_URL_FILE:
		return sizeof(char *);
	}
	bug("option %s has no type", o->key);
}

void
config_value_swap(const struct config_option *o, void *base_a, void *base_b)
{
	char	 held[sizeof(uint64_t)];
	char	*a = (char *)base_a + o->offset, *b = (char *)base_b + o->offset;
	size_t	 n = value_size(o);

	memcpy(held, a, n);
	memcpy(a, b, n);
	memcpy(b, held, n);
}

void
config_value_free(const struct config_option *o, void *base)
{
	void	*at = (char *)base + o->offset;

	if (o->type == OPT_SECRET_URL)
		config_secret_free(at);
	else if (o->type <= OPT_URL_FILE) {
		free(*(char **)at);
		*(char **)at = NULL;
	} else if (o->type == OPT_LIST) {
		config_strings_free(*(char ***)at);
		*(char ***)at = NULL;
	}
}

int
config_defaults(enum option_section section, void *base, struct err *err)
{
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	for (size_t i = 0; i < n; i++) {
		if (o[i].section != section || (o[i].type <= OPT_LIST && o[i].dflt[0] == '\0'))
			continue;
		if (config_value_set(&o[i], base, slice_of(o[i].dflt), err) != 0)
			return err_prefix(err, "default of %s", o[i].key);
	}
	return 0;
}

void
config_strings_free(char **list)
{
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

char **
config_strings_dup(char *const *list)
{
	char	**copy;
	size_t	  n = 0;

	if (list == NULL)
		return NULL;
	while (list[n] != NULL)
		n++;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if ((copy[i] = slice_dup(slice_of(list[i]))) == NULL) {
			config_strings_free(copy);
			return NULL;
		}
	}
	return copy;
}
