/*
 * Stands in for the fuzzer where there is none: feeds a fuzz target every file
 * given, and every file in every directory given, and says how many there were.
 * It fails when it cannot read something or finds nothing to feed.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *
base_name(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int
failed(const char *path)
{
	(void)fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
	return -1;
}

static int
feed_file(const char *path, size_t size, size_t *count)
{
	FILE	*f = fopen(path, "rb");
	uint8_t	*data = malloc(size == 0 ? 1 : size);	/* no spare byte: a sanitizer sees the first one too far */
	int	 rc = -1;

	if (f == NULL || data == NULL || fread(data, 1, size, f) != size) {
		(void)failed(path);
		goto out;
	}
	(void)LLVMFuzzerTestOneInput(data, size);
	(*count)++;
	rc = 0;
out:
	if (f != NULL)
		(void)fclose(f);
	free(data);
	return rc;
}

static int
feed(const char *path, size_t *count)
{
	struct stat	 st;
	struct dirent	**names;
	int		 n, rc = 0;

	if (stat(path, &st) < 0)
		return failed(path);
	if (!S_ISDIR(st.st_mode))
		return feed_file(path, (size_t)st.st_size, count);
	if ((n = scandir(path, &names, NULL, alphasort)) < 0)
		return failed(path);
	for (int i = 0; i < n; i++) {
		char *inside;

		if (names[i]->d_name[0] != '.') {
			if (asprintf(&inside, "%s/%s", path, names[i]->d_name) < 0)
				rc = failed(path);
			else {
				rc |= feed(inside, count);
				free(inside);
			}
		}
		free(names[i]);
	}
	free(names);
	return rc;
}

int
main(int argc, char **argv)
{
	size_t	 count = 0;
	int	 rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= feed(argv[i], &count);
	printf("fuzz: %s: %zu inputs\n", base_name(argv[0]), count);
	return rc == 0 && count > 0 ? 0 : 1;
}
