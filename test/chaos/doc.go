// Package chaos runs a fleet of real processes and breaks it: three NATS servers
// with their streams in files, three workers, two gateways, and clients that want
// signatures and keys all the while. What is broken, and when, comes out of a seed.
// When all is whole again, package history judges what was seen.
//
// Every connection goes through a link of package faultlink, so that networks can
// be cut, one way too, slowed and made lossy. The programs are built with the race
// detector, and with the build tag chaosclock, so that their clocks can jump.
//
// A seed fixes the schedule, not the run: processes and kernels have a will of their
// own. What fails under a seed fails under it again more often than not.
//
// To kill a process is not to cut its power: what it wrote is in the kernel's memory
// and reaches the disk. This package shows nothing about power loss.
package chaos
