#ifndef EDS_TOML_H
#define EDS_TOML_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * config.toml: top-level keys with strings and booleans (contract/encoding.md
 * section 6).  Everything else in the file, other people's keys, tables and comments, is kept
 * as it stands and written back behind our keys.
 */
struct toml;

int	 toml_parse(struct toml **, struct slice text, struct err *) MUST_CHECK;	/* ERR_INVALID, "line 3: ..." */
int	 toml_load(struct toml **, const char *path, struct err *) MUST_CHECK;		/* no such file: an empty one */
void	 toml_free(struct toml **);

/* 1: there, 0: not there, -1: there with another type.  The string belongs to the toml. */
int	 toml_string(const struct toml *, const char *key, const char **value_r);
int	 toml_bool(const struct toml *, const char *key, bool *value_r);
unsigned toml_line(const struct toml *, const char *key);	/* for messages; 0 when not there */

/* Adds or replaces; a removed key that is not there is no error. */
int	 toml_set_string(struct toml *, const char *key, const char *value, struct err *) MUST_CHECK;
int	 toml_set_bool(struct toml *, const char *key, bool value, struct err *) MUST_CHECK;
void	 toml_remove(struct toml *, const char *key);

/* Enrolment writes "basic" strings in the order set; a rewrite sorts and writes 'literal' ones. */
enum toml_style { TOML_BASIC, TOML_LITERAL };
void	 toml_write(const struct toml *, enum toml_style, struct buf *);

/* Writes a new file of mode 0600 beside `path` and renames it, all of it on disk before the return. */
int	 toml_save(const struct toml *, enum toml_style, const char *path, struct err *) MUST_CHECK;

#endif
