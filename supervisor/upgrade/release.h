#ifndef EDS_RELEASE_H
#define EDS_RELEASE_H

#include <stdbool.h>

#include "ipc/base/err.h"

/* Releases: archives of this program, each with a detached OpenPGP signature beside it. */
extern const char	release_public_key[];	/* armored, fingerprint C9946E99DD655505AD5FE9D2FECFF4915E7BF492 */

#define RELEASE_URL	"https://github.com/shopmonkeyus/eds/releases/download"

struct release {
	const char	*url;		/* of all releases, without slash at the end; NULL: RELEASE_URL */
	const char	*key_file;	/* armored public key to trust instead of ours; NULL */
};

/*
 * Downloads a version ("3.0.2" or "v3.0.2") for this machine, checks the signature, and unpacks it as `to`: an
 * archive of one file becomes that file, one with workers and drivers a folder of that name.
 * What is there already is replaced, once all is good.  Blocks, and runs gpgv and tar: for a process of its own.
 */
int	 release_download(const struct release *, const char *version, const char *to, struct err *) MUST_CHECK;

/* Digits, letters, dots and hyphens, beginning with a digit, after an optional v. */
bool	 release_version_is_fit(const char *version);

/* <0, 0, >0: a is older, the same, newer; by the numbers between the dots.  What has none counts as old. */
int	 release_version_compare(const char *a, const char *b);

/* Removes a file or a folder with all that is in it; what is not there is no error. */
int	 release_remove(const char *path, struct err *) MUST_CHECK;

#endif
