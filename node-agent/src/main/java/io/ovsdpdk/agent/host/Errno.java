package io.ovsdpdk.agent.host;

/** The error numbers of Linux that this package tells apart or explains; they are the same on amd64 and arm64. */
public enum Errno {
    EPERM(1, "operation not permitted"),
    ENOENT(2, "no such file or folder"),
    EINTR(4, "interrupted"),
    EIO(5, "input/output error"),
    EBADF(9, "bad file descriptor"),
    EAGAIN(11, "try again"),
    ENOMEM(12, "out of memory"),
    EACCES(13, "permission denied"),
    EBUSY(16, "busy, or a mount point"),
    EEXIST(17, "exists already"),
    EXDEV(18, "another mount or file system is in the way"),
    ENOTDIR(20, "not a folder"),
    EISDIR(21, "is a folder"),
    EINVAL(22, "invalid argument"),
    ENFILE(23, "too many open files on this machine"),
    EMFILE(24, "too many open files in this process"),
    ENOSPC(28, "no space left, or too many mounts (fs.mount-max) or watches (fs.inotify.max_user_watches)"),
    EROFS(30, "read-only file system"),
    EMLINK(31, "too many sub-folders in one folder"),
    ENAMETOOLONG(36, "name too long"),
    ENOSYS(38, "this kernel does not have the call"),
    ENOTEMPTY(39, "folder not empty"),
    ELOOP(40, "a symbolic link is in the way"),
    ENODATA(61, "no such attribute"),
    EOPNOTSUPP(95, "not supported by this file system"),
    ESTALE(116, "stale file handle"),
    EDQUOT(122, "quota exceeded"),
    /** Any number that is not listed here; {@link LinuxException#number()} has it. */
    OTHER(-1, "see errno(3)");

    private final int number;
    private final String explanation;

    Errno(int number, String explanation) {
        this.number = number;
        this.explanation = explanation;
    }

    /** The error with this number, {@link #OTHER} for one that is not listed. */
    static Errno of(int number) {
        for (Errno errno : values()) {
            if (errno.number == number) {
                return errno;
            }
        }
        return OTHER;
    }

    /** What the error means, in words. */
    public String explanation() {
        return explanation;
    }
}
