/* The options of eds.conf as a table, and what somebody may have meant who wrote another. */

#include "supervisor/config/config_private.h"

#define RELOAD	false
#define RESTART	true

static const struct config_option options[] = {
#define SERVER(key, type, member, dflt, least, most, takes, help) \
	{ SECTION_SERVER, #key, OPT_##type, offsetof(struct config, member), dflt, least, most, takes, help },
#define DESTINATION(key, type, member, dflt, least, most, takes, help) \
	{ SECTION_DESTINATION, #key, OPT_##type, offsetof(struct destination_config, member), dflt, least, most, takes, help },
#include "supervisor/config/config_options.def"
};

_Static_assert(NELEM(options) <= CONFIG_OPTIONS_MAX, "struct config_seen has a place for each option");

const struct config_option *
config_options(size_t *n_r)
{
	*n_r = NELEM(options);
	return options;
}

const struct config_option *
config_option_find(enum option_section section, struct slice key)
{
	for (size_t i = 0; i < NELEM(options); i++)
		if (options[i].section == section && slice_is(key, options[i].key))
			return &options[i];
	return NULL;
}

unsigned
config_distance(struct slice a, struct slice b)
{
	unsigned	 row[65];

	if (a.n >= NELEM(row) || b.n >= NELEM(row))
		return UINT32_MAX;
	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		unsigned diagonal = row[0]++;

		for (size_t j = 0; j < b.n; j++) {
			unsigned best = diagonal + (a.p[i] == b.p[j] ? 0 : 1);

			if (best > row[j] + 1)
				best = row[j] + 1;
			if (best > row[j + 1] + 1)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[b.n];
}

const struct config_option *
config_option_nearest(enum option_section section, struct slice key)
{
	const struct config_option	*nearest = NULL;
	unsigned			 least = 1 + (unsigned)(key.n / 3);

	for (size_t i = 0; i < NELEM(options); i++) {
		unsigned d;

		if (options[i].section != section)
			continue;
		d = config_distance(key, slice_of(options[i].key));
		if (d < least || (nearest == NULL && d == least)) {
			least = d;
			nearest = &options[i];
		}
	}
	return nearest;
}
