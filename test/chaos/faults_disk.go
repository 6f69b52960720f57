package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// diskSize is of the last server's disk, a file system in memory.
const diskSize = 192 << 20

// disk is a small file system, if this process may mount one.
type disk struct {
	dir     string
	mounted bool
}

func newDisk(t fleettest.T, dir string) disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("mode=0700,size=", diskSize))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	if err == nil {
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
	return disk{dir, err == nil}
}

// fillDisk leaves a server's disk no room. JetStream stops on such a server until it is
// started again, which is what an operator does who made room.
//
// Without the right to mount, the server is given less room for streams than they take,
// which is a limit of NATS's and no error of the disk's.
func fillDisk(b *breaking) func() {
	p := b.proc(b.Target)
	if !b.disk.mounted {
		b.Event("no right to mount a small disk: max_file_store stands in for it")
		return b.limitStore(p)
	}
	ballast := filepath.Join(b.disk.dir, "ballast")
	f, err := os.Create(ballast)
	b.must(err)
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(chunk)
	}
	for err = nil; err == nil; { // to the last block
		_, err = f.Write(chunk[:4096])
	}
	if !errors.Is(err, syscall.ENOSPC) {
		b.must(err)
	}
	return func() {
		b.must(os.Remove(ballast))
		p.kill()
	}
}

func (b *breaking) limitStore(p *process) func() {
	conf := serverConf(servers - 1)
	whole := b.read(conf)
	p.kill()
	b.write(conf, b.replaced(whole, "max_file_store: 200GB", "max_file_store: 64KB"))
	b.must(p.start())
	return func() {
		p.kill()
		b.write(conf, whole)
	}
}

// truncate cuts a file of a server's store in half, while the server is down.
func truncate(b *breaking) func() {
	return b.damage(func(path string, size int64) error { return os.Truncate(path, size/2) })
}

// flip flips a bit of a file of a server's store, while the server is down.
func flip(b *breaking) func() {
	return b.damage(func(path string, size int64) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		at, one := b.rand.Int64N(size), make([]byte, 1)
		_, err = f.ReadAt(one, at)
		one[0] ^= 1 << b.rand.IntN(8)
		if err == nil {
			_, err = f.WriteAt(one, at)
		}
		return errors.Join(err, f.Close())
	})
}

// damage spoils some of the files in which one server keeps messages, and starts it. The
// other two servers have them all.
func (b *breaking) damage(spoil func(path string, size int64) error) func() {
	p := b.proc(b.Target)
	p.kill()
	dir := filepath.Join(b.dir, fleet.ServerDir(int(b.Target[len(b.Target)-1]-'0')), "jetstream")
	var files []string
	b.must(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".blk") {
			files = append(files, path)
		}
		return err
	}))
	b.rand.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	for _, path := range files[:min(3, len(files))] {
		info, err := os.Stat(path)
		b.must(err)
		if info.Size() == 0 {
			continue
		}
		b.must(spoil(path, info.Size()))
		name, _ := filepath.Rel(dir, path)
		b.Event("%s: %s, %d bytes", b.Fault, name, info.Size())
	}
	b.must(p.start())
	return nil
}
