//go:build !linux

package backend

import "time"

func setUserTimeout(uintptr, time.Duration) {}
