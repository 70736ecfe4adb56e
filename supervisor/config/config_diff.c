/* What two configurations have in common: which workers a reload leaves alone, and what it cannot do. */

#include "supervisor/config/config_private.h"

bool
destination_config_same(const struct destination_config *a, const struct destination_config *b)
{
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	if (strcmp(a->name, b->name) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (o[i].section == SECTION_DESTINATION && !config_value_same(&o[i], a, b))
			return false;
	return true;
}

static void
add_name(struct buf *names, const char *name)
{
	if (names->len > 0)
		buf_adds(names, ", ");
	buf_adds(names, name);
}

static bool
same(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

bool
config_same_rules(const struct config *a, const struct config *b)
{
	return same(a->rules, b->rules);
}

void
config_needs_restart(const struct config *running, const struct config *wanted, struct buf *names)
{
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	for (size_t i = 0; i < n; i++)
		if (o[i].section == SECTION_SERVER && o[i].restart && !config_value_same(&o[i], running, wanted))
			add_name(names, o[i].key);
	if (!same(running->server_id, wanted->server_id))
		add_name(names, "server_id");
	if (!same(running->token, wanted->token))
		add_name(names, "token");
}

static void
swap_texts(char **a, char **b)
{
	char	*held = *a;

	*a = *b;
	*b = held;
}

void
config_keep_running(struct config *running, struct config *fresh)
{
	size_t				 n;
	const struct config_option	*o = config_options(&n);

	for (size_t i = 0; i < n; i++)
		if (o[i].section == SECTION_SERVER && o[i].restart)
			config_value_swap(&o[i], running, fresh);
	swap_texts(&running->data_dir, &fresh->data_dir);	/* never differs, but workers look at the string itself */
	swap_texts(&running->server_id, &fresh->server_id);
	swap_texts(&running->token, &fresh->token);
}
