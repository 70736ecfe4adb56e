/* config.toml in memory: our own keys by value, the rest of the file as text. */

#include <stdlib.h>

#include "supervisor/config/config_private.h"
#include "supervisor/config/toml.h"
#include "supervisor/config/toml_private.h"

#define TOML_MAX	(1024 * 1024)

void
toml_free(struct toml **tp)
{
	struct toml	*t = *tp;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->entries[i].key);
		free(t->entries[i].string);
	}
	free(t->entries);
	buf_free(&t->other);
	free(t);
	*tp = NULL;
}

int
toml_load(struct toml **t_r, const char *path, struct err *err)
{
	struct buf	 text = { 0 };
	struct err	 own = { 0 };
	int		 rc = -1;

	if (config_read_file(&text, path, TOML_MAX, &own) == 0 || own.code == ERR_NOTFOUND)
		rc = toml_parse(t_r, buf_slice(&text), &own);
	buf_free(&text);
	if (rc != 0 && err != NULL)
		*err = own;
	return rc;
}

struct toml_entry *
toml_find(const struct toml *t, struct slice key)
{
	for (size_t i = 0; i < t->n; i++)
		if (slice_is(key, t->entries[i].key))
			return &t->entries[i];
	return NULL;
}

/* A new entry of that key, at the end. */
struct toml_entry *
toml_add(struct toml *t, struct slice key)
{
	struct toml_entry	*grown = reallocarray(t->entries, t->n + 1, sizeof(*grown));

	if (grown == NULL)
		return NULL;
	t->entries = grown;
	grown[t->n] = (struct toml_entry){ .key = slice_dup(key) };
	return grown[t->n].key == NULL ? NULL : &grown[t->n++];
}

int
toml_string(const struct toml *t, const char *key, const char **value_r)
{
	const struct toml_entry	*e = toml_find(t, slice_of(key));

	if (e == NULL)
		return 0;
	*value_r = e->string;
	return e->type == TOML_STRING ? 1 : -1;
}

int
toml_bool(const struct toml *t, const char *key, bool *value_r)
{
	const struct toml_entry	*e = toml_find(t, slice_of(key));

	if (e == NULL)
		return 0;
	*value_r = e->truth;
	return e->type == TOML_BOOL ? 1 : -1;
}

unsigned
toml_line(const struct toml *t, const char *key)
{
	const struct toml_entry	*e = toml_find(t, slice_of(key));

	return e == NULL ? 0 : e->line;
}

static struct toml_entry *
find_or_add(struct toml *t, const char *key)
{
	struct toml_entry	*e = toml_find(t, slice_of(key));

	return e != NULL ? e : toml_add(t, slice_of(key));
}

int
toml_set_string(struct toml *t, const char *key, const char *value, struct err *err)
{
	struct toml_entry	*e = find_or_add(t, key);
	char			*copy = e == NULL ? NULL : slice_dup(slice_of(value));

	if (copy == NULL)
		return err_set(err, ERR_NOMEM, "no memory for config.toml");
	free(e->string);
	e->string = copy;
	e->type = TOML_STRING;
	return 0;
}

int
toml_set_bool(struct toml *t, const char *key, bool value, struct err *err)
{
	struct toml_entry	*e = find_or_add(t, key);

	if (e == NULL)
		return err_set(err, ERR_NOMEM, "no memory for config.toml");
	free(e->string);
	e->string = NULL;
	e->truth = value;
	e->type = TOML_BOOL;
	return 0;
}

void
toml_remove(struct toml *t, const char *key)
{
	struct toml_entry	*e = toml_find(t, slice_of(key));

	if (e == NULL)
		return;
	free(e->key);
	free(e->string);
	(void)memmove(e, e + 1, (size_t)(t->entries + t->n - (e + 1)) * sizeof(*e));
	t->n--;
}
