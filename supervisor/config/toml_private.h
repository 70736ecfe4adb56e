#ifndef EDS_TOML_PRIVATE_H
#define EDS_TOML_PRIVATE_H

#include "supervisor/config/toml.h"

enum toml_type { TOML_STRING, TOML_BOOL, TOML_OTHER };

struct toml_entry {
	char		*key;
	char		*string;
	bool		 truth;
	enum toml_type	 type;
	unsigned	 line;
};

struct toml {
	struct toml_entry	*entries;	/* string and boolean keys above the first table, and known keys */
	size_t			 n;
	struct buf		 other;		/* lines that are not ours, as they stood */
};

struct toml_entry *toml_find(const struct toml *, struct slice key);
struct toml_entry *toml_add(struct toml *, struct slice key);	/* NULL: no memory */

#endif
