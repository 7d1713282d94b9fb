import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { declare } from './texts/texts.ts';

declare(document.documentElement);
const target = document.getElementById('app');
if (target) mount(App, { target });
