/* The helper "forkunpack": unpacks one archive, behind walls. */
#pragma once

/*
 * argv: [name, "image" | "tree" | "metadata" | "rootfs-metadata", MAX_BYTES, MAX_INODES]; fd 3 is
 * the archive, fd 4 the target directory. "metadata" writes the text to standard output. On failure
 * "STATUS SENTENCE" goes to standard error and the exit status is 1.
 */
int unpack_helper(int argc, char **argv);
