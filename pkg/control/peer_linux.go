package control

import "golang.org/x/sys/unix"

// socketUID returns the effective user id that the peer had when it connected:
// unix(7), SO_PEERCRED.
func socketUID(fd int) (uint32, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
