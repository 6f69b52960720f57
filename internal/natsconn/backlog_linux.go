package natsconn

import (
	"net"

	"golang.org/x/sys/unix"
)

// backlog is how many bytes the peer's machine still has to acknowledge, and how many
// it has acknowledged. It waits for nothing, also where a write does.
func backlog(conn net.Conn) (waiting int, acknowledged uint64) {
	if d, ok := conn.(*directly); ok {
		conn = d.Conn
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, 0 // closed
	}
	_ = raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if err != nil {
			return
		}
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			waiting, acknowledged = n, info.Bytes_acked
		}
	})
	return waiting, acknowledged
}
