#ifndef EDS_S3_XML_H
#define EDS_S3_XML_H

#include "ipc/base/buf.h"

/*
 * Appends the text of the first element of that name, whatever namespace prefix it has, with entities
 * decoded: all that is wanted of the small documents that S3 and STS answer with.  False, with nothing
 * added, when there is none or it is not closed.  Copes with any bytes.
 */
bool	 xml_text(struct slice document, const char *name, struct buf *) MUST_CHECK;

#endif
