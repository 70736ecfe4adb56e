/* From a URL's scheme to a loaded driver. */

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>

#include "drivers/registry.h"
#include "ipc/base/self.h"
#include "worker/module.h"

/* A build has the drivers beside the worker; an installed tree is asked before the place it was compiled for. */
static void
find_module(char *path, size_t size, const char *id)
{
	static const char *const	 folders[] = { "drivers", "../../lib/eds/drivers" };
	char				 name[128];

	for (size_t i = 0; i < NELEM(folders); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s.so", folders[i], id);
		if (self_relative(path, size, name))
			return;
	}
	(void)snprintf(path, size, "%s/%s.so", EDS_DRIVERDIR, id);
}

static int
unknown_scheme(struct slice scheme, struct err *err)
{
	const struct driver_info *all;
	struct buf	 known = { 0 };
	size_t		 n;
	int		 rc;

	all = driver_info_all(&n);
	for (size_t i = 0; i < n; i++)
		if ((all[i].flags & DRIVER_HIDDEN) == 0)
			buf_printf(&known, "%s%s", known.len == 0 ? "" : ", ", all[i].id);
	rc = err_set(err, ERR_CONFIG, "no driver registered for protocol " SLICE_FMT "; there are %s",
	    SLICE_ARG(scheme), buf_cstr(&known));
	buf_free(&known);
	return rc;
}

static int
check(const struct driver *d, const char *id, const char *path, struct err *err)
{
	if (d->abi != DRIVER_ABI)
		return err_set(err, ERR_CONFIG, "%s was made for driver interface %u, this program has %d: "
		    "install programs and drivers of the same version", path, d->abi, DRIVER_ABI);
	if (strcmp(d->id, id) != 0)
		return err_set(err, ERR_CONFIG, "%s holds the driver '%s' instead of '%s': "
		    "install the drivers again", path, d->id, id);
	if (d->batch_events == 0 || d->batch_bytes == 0)
		return err_set(err, ERR_CONFIG, "%s allows no events in a batch: install the drivers again", path);
	return 0;
}

const struct driver *
module_load(const char *url, struct err *err)
{
	struct slice		 scheme = url_scheme(slice_of(url));
	const struct driver_info *info = driver_info_by_scheme(scheme);
	const struct driver	*driver;
	char			 path[PATH_MAX];
	void			*module;

	if (scheme.p == NULL) {
		(void)err_set(err, ERR_CONFIG, "the URL does not begin with a protocol such as file://");
		return NULL;
	}
	if (info == NULL) {
		(void)unknown_scheme(scheme, err);
		return NULL;
	}
	find_module(path, sizeof(path), info->id);
	/* Never closed: a driver's library may leave threads or exit handlers behind. */
	if ((module = dlopen(path, RTLD_NOW | RTLD_LOCAL)) == NULL ||
	    (driver = dlsym(module, DRIVER_SYMBOL)) == NULL) {
		(void)err_set(err, ERR_CONFIG, "the driver for %s cannot be loaded: %s: is its package installed?",
		    info->id, dlerror());
		return NULL;
	}
	return check(driver, info->id, path, err) == -1 ? NULL : driver;
}
