//go:build !linux

package command

import "syscall"

func childAttributes() *syscall.SysProcAttr { return nil }
