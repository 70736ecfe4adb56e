#ifndef EDS_MODULE_H
#define EDS_MODULE_H

#include "drivers/driver.h"

/*
 * The driver for that URL, loaded from <id>.so in the folder "drivers" beside this program, else in
 * ../../lib/eds/drivers as seen from there, else in the compiled-in driver folder.  It stays loaded for the life of the process.  NULL with
 * ERR_CONFIG when there is no such driver or its file is missing or of another version.
 */
const struct driver *module_load(const char *url, struct err *) MUST_CHECK;

#endif
