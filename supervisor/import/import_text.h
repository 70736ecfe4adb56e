#ifndef EDS_IMPORT_TEXT_H
#define EDS_IMPORT_TEXT_H

#include "supervisor/control/edsctl_text.h"

struct import;

/* How far it is, for text_import(); the phase lives as long as the import. */
struct text_import import_picture(const struct import *);

#endif
