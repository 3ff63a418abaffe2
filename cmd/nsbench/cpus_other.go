//go:build !linux

package main

import "errors"

func pinProcess([]int) (unpinned func(f func()), err error) {
	return nil, errors.New("this system does not keep processes to processors")
}
