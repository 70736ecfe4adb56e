#ifndef EDS_TEST_STORE_DIR_H
#define EDS_TEST_STORE_DIR_H

/* A throw-away data directory for each test of the store, as a cmocka setup and teardown. */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/store/store.h"
#include "tests/support/cmocka_all.h"

static char	 dir[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/eds-store-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_dir(void **state)
{
	char	 cmd[100];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct store *
opened(void)
{
	struct store	*st = NULL;
	struct err	 err = { 0 };

	if (store_open(&st, dir, &err) == -1)
		fail_msg("%s", err.text);
	return st;
}

#endif
