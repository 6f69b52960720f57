//go:build !linux

package natsconn

// receive and send are not known here: connections read and write as Go does.
var receive, send transfer
