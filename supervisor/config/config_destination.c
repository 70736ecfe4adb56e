/* The list of destinations: named, checked, freed. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/registry.h"
#include "ipc/base/url.h"
#include "supervisor/config/config_private.h"

#define NAME_MAX_BYTES	32

const struct destination_config *
config_destination(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_destinations; i++)
		if (strcmp(c->destinations[i].name, name) == 0)
			return &c->destinations[i];
	return NULL;
}

static bool
name_is_good(struct slice name)
{
	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}

static void
destination_free(struct destination_config *d)
{
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	for (size_t i = 0; i < n; i++)
		if (o[i].section == SECTION_DESTINATION)
			config_value_free(&o[i], d);
	free(d->name);
	free(d->origin);
}

void
config_destinations_free(struct config *c)
{
	for (size_t i = 0; i < c->n_destinations; i++)
		destination_free(&c->destinations[i]);
	free(c->destinations);
	c->destinations = NULL;
	c->n_destinations = 0;
}

struct destination_config *
config_destination_add(struct config *c, struct slice name, const char *origin, struct err *err)
{
	struct destination_config	*d, *grown;

	if (!name_is_good(name)) {
		(void)err_set(err, ERR_CONFIG, "a destination's name has 1 to %d of the characters A-Z a-z 0-9 _ -, as in [destination warehouse]",
		    NAME_MAX_BYTES);
		return NULL;
	}
	for (size_t i = 0; i < c->n_destinations; i++) {
		if (slice_is(name, c->destinations[i].name)) {
			(void)err_set(err, ERR_CONFIG, "there is a destination \"" SLICE_FMT "\" already (%s): give this one another name",
			    SLICE_ARG(name), c->destinations[i].origin);
			return NULL;
		}
	}
	if ((grown = reallocarray(c->destinations, c->n_destinations + 1, sizeof(*grown))) == NULL)
		goto nomem;
	c->destinations = grown;
	d = &grown[c->n_destinations];
	*d = (struct destination_config){ 0 };
	c->n_destinations++;
	if ((d->name = slice_dup(name)) == NULL || (d->origin = slice_dup(slice_of(origin))) == NULL)
		goto nomem;
	return config_defaults(SECTION_DESTINATION, d, err) == 0 ? d : NULL;
nomem:
	(void)err_set(err, ERR_NOMEM, "no memory for a destination");
	return NULL;
}

/* "file, sqlite, null" */
static void
known_schemes(struct buf *out)
{
	size_t				 n;
	const struct driver_info	*all = driver_info_all(&n);

	for (size_t i = 0; i < n; i++) {
		struct slice rest = slice_of(all[i].schemes), first;

		if ((all[i].flags & DRIVER_HIDDEN) != 0 || !slice_cut(&rest, ' ', &first))
			continue;
		if (out->len > 0)
			buf_adds(out, ", ");
		buf_adds_slice(out, first);
	}
}

static const struct driver_info *
find_driver(const char *url, struct err *err)
{
	struct slice			 scheme = url_scheme(slice_of(url));
	const struct driver_info	*info = scheme.p == NULL ? NULL : driver_info_by_scheme(scheme);
	struct buf			 known = { 0 };

	if (info != NULL)
		return info;
	known_schemes(&known);
	if (scheme.p == NULL)
		(void)err_set(err, ERR_CONFIG, "expected a URL that starts with one of these and ://: %s", buf_cstr(&known));
	else
		(void)err_set(err, ERR_CONFIG, "no driver registered for protocol " SLICE_FMT " (known: %s)", SLICE_ARG(scheme),
		    buf_cstr(&known));
	buf_free(&known);
	return NULL;
}

/* Named after its driver; the second of a kind gets -2. */
int
config_destination_from_url(struct config *c, const char *url, const char *origin, struct err *err)
{
	const struct driver_info	*info = find_driver(url, err);
	struct destination_config	*d;
	char				 name[NAME_MAX_BYTES + 24];
	unsigned			 number = 1;

	if (info == NULL)
		return err_prefix(err, "%s", origin);
	(void)snprintf(name, sizeof(name), "%s", info->id);
	for (;;) {
		const struct destination_config *other = config_destination(c, name);

		if (other == NULL || strcmp(other->origin, origin) != 0)
			break;		/* free, or taken by a section: the latter is an error below */
		(void)snprintf(name, sizeof(name), "%s-%u", info->id, ++number);
	}
	if ((d = config_destination_add(c, slice_of(name), origin, err)) == NULL)
		return err_prefix(err, "%s: the destination is named after its driver", origin);
	if ((d->url = slice_dup(slice_of(url))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a URL");
	return 0;
}

/* What can be said of the URL without asking the driver. */
static int
check_url(const struct driver_info *info, const struct url *url, struct err *err)
{
	static const struct {
		const char	*driver;
		const char	*text;
	} need_path[] = {
		{ "file", "path is required in url which should be the directory to store files" },
		{ "sqlite", "path is required in url which should be the database file" },
	};

	for (size_t i = 0; i < NELEM(need_path); i++)
		if (strcmp(info->id, need_path[i].driver) == 0 && url->path[0] == '\0')
			return err_set(err, ERR_CONFIG, "%s", need_path[i].text);
	return 0;
}

int
config_destination_check(const struct destination_config *d, struct err *err)
{
	const struct driver_info	*info = find_driver(d->url, err);
	struct url			 url = { 0 };
	int				 rc = -1;

	if (info != NULL && url_parse(&url, slice_of(d->url), err) == 0 && check_url(info, &url, err) == 0) {
		if (d->backoff_min_ms > d->backoff_max_ms)
			(void)err_set(err, ERR_CONFIG, "backoff_min is longer than backoff_max");
		else if (d->min_latency_ms > d->max_latency_ms)
			(void)err_set(err, ERR_CONFIG, "min_latency is longer than max_latency");
		else
			rc = 0;
	}
	url_free(&url);
	if (rc != 0 && err != NULL && err->code != ERR_NOMEM)
		err->code = ERR_CONFIG;
	return rc == 0 ? 0 : err_prefix(err, "%s: destination \"%s\"", d->origin, d->name);
}
