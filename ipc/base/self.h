#ifndef EDS_SELF_H
#define EDS_SELF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The path of a file named relative to the folder that this program's executable lies in
 * ("drivers/file.so", "../libexec/eds/eds-worker").  So an installed tree may be moved as a whole.
 * False, with `path` undefined, when there is no such file, or its path is longer than `size` allows.
 */
bool	 self_relative(char *path, size_t size, const char *relative);

#endif
