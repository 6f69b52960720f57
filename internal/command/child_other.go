//go:build !linux

package command

import "syscall"

func ChildAttributes() *syscall.SysProcAttr { return nil }
