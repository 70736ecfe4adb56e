#ifndef EDS_DAMAGE_H
#define EDS_DAMAGE_H

#include <lmdb.h>
#include <stdbool.h>

/*
 * What is known of damage in the store's file.  LMDB maps the file, and finds a page that cannot be read, or is not what
 * it should be, in the middle of its work: the kernel sends SIGBUS, or an assertion ends the process.
 * Before that happens the store is marked, so that the next start builds it anew from what can be read.
 */

void	 damage_mark(const char *store_path);
bool	 damage_is_marked(const char *store_path);

/*
 * From now on an assertion of `env`, or a fault in the `size` bytes at `map`, marks the store before the
 * process ends with a line on stderr.  One store at a time; path and map stay where they are until damage_unguard().
 */
void	 damage_guard(MDB_env *env, const char *store_path, const void *map, size_t size);
void	 damage_unguard(void);

#endif
