// Package clock is the time of day, by which workers and gateways judge what expires
// and how old a message is.
//
// Programs that are built with the tag chaosclock have a clock that tests can set
// (make chaos). They say so when they start, and are not for production: whoever can
// write the file decides what has expired. Without the tag nothing of it is compiled.
package clock
