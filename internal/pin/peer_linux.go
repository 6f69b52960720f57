package pin

import (
	"fmt"
	"net"
	"syscall"
)

// peer is the user at the other end, as the kernel saw it connect or listen.
func peer(conn *net.UnixConn) (uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *syscall.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		cred, asked = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err == nil {
		err = asked
	}
	if err != nil {
		return 0, fmt.Errorf("who is at the other end of the socket: %w", err)
	}
	return int(cred.Uid), nil
}
